/* SPDX-License-Identifier: MIT */
/*
 * attempts.c - the list. System calls are made by number, so that the attempt is that call and not
 * what a library makes of it. Those that would harm the machine if they worked get an argument that
 * the kernel refuses after it has decided that we may.
 */
#include "attempts.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <linux/capability.h>
#include <linux/if_tun.h>
#include <linux/io_uring.h>
#include <linux/keyctl.h>
#include <linux/perf_event.h>
#include <linux/sched.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>
#include <xen/xen.h>
#include <xen/grant_table.h>
#include <xen/sys/evtchn.h>
#include <xen/sys/gntdev.h>
#include <xen/sys/privcmd.h>

struct prey prey;

/* ---- files ---- */

static long open_file(void)
{
    return syscall(SYS_open, prey.file, O_RDONLY);
}

static long openat_file(void)
{
    return syscall(SYS_openat, AT_FDCWD, prey.file, O_RDONLY);
}

static long openat2_file(void)
{
    uint64_t how[3] = {O_RDONLY, 0, 0};

    return syscall(SYS_openat2, AT_FDCWD, prey.file, how, sizeof(how));
}

static long open_above_descriptor(void)
{
    return syscall(SYS_openat, prey.directory, "../etc/passwd", O_RDONLY);
}

static long open_new_file(void)
{
    return syscall(SYS_open, "/tmp/subverted-was-here", O_RDWR | O_CREAT, 0600);
}

static long open_memory_of_victim(void)
{
    char path[64] = "/proc/";
    char digits[16];
    int n = 0;

    for (pid_t p = prey.victim; p; p /= 10)
        digits[n++] = (char)('0' + p % 10);
    for (size_t at = strlen(path); n;)
        path[at++] = digits[--n];
    strcat(path, "/mem");
    return syscall(SYS_open, path, O_RDWR);
}

static long open_proc_self(void)
{
    return syscall(SYS_open, "/proc/self/maps", O_RDONLY);
}

static long stat_file(void)
{
    struct stat st;

    return syscall(SYS_newfstatat, AT_FDCWD, prey.file, &st, 0);
}

static long readlink_root(void)
{
    char to[64];

    return syscall(SYS_readlink, "/proc/self/root", to, sizeof(to));
}

static long unlink_file(void)
{
    return syscall(SYS_unlink, "/nothing/of/this/name");
}

static long rename_file(void)
{
    return syscall(SYS_rename, "/nothing/of/this/name", "/nothing/else");
}

static long make_directory(void)
{
    return syscall(SYS_mkdir, "/proc/nothing", 0700);
}

static long make_node(void)
{
    return syscall(SYS_mknod, "/proc/nothing", S_IFCHR | 0600, 0x101);
}

static long change_mode(void)
{
    return syscall(SYS_chmod, "/nothing/of/this/name", 0777);
}

static long change_mode_of_image(void)
{
    return syscall(SYS_fchmod, prey.image, 04755);
}

static long list_directory(void)
{
    char entries[512];

    return syscall(SYS_getdents64, prey.directory, entries, sizeof(entries));
}

static long enter_directory(void)
{
    return syscall(SYS_fchdir, prey.directory);
}

static long file_by_handle(void)
{
    char handle[136] = {4};

    return syscall(SYS_open_by_handle_at, -1, handle, O_RDONLY);
}

static long memory_file(void)
{
    return syscall(SYS_memfd_create, "x", 0);
}

static long own_image(void)
{
    return syscall(SYS_fcntl, prey.image, F_SETOWN, getpid());
}

static long duplicate(void)
{
    return syscall(SYS_fcntl, prey.image, F_DUPFD, 20);
}

/* ---- sockets ---- */

static long socket_unix(void)
{
    return syscall(SYS_socket, AF_UNIX, SOCK_STREAM, 0);
}

static long socket_inet(void)
{
    return syscall(SYS_socket, AF_INET, SOCK_STREAM, 0);
}

static long socket_netlink(void)
{
    return syscall(SYS_socket, AF_NETLINK, SOCK_RAW, 0);
}

static long connect_to_store(void)
{
    struct sockaddr_un to = {.sun_family = AF_UNIX};
    int fd = (int)syscall(SYS_socket, AF_UNIX, SOCK_STREAM, 0);

    if (fd < 0)
        return fd;
    strcpy(to.sun_path, prey.socket);
    return syscall(SYS_connect, fd, &to, sizeof(to));
}

static long connect_passed_socket(void)
{
    struct sockaddr_un to = {.sun_family = AF_UNIX};

    return syscall(SYS_connect, prey.pair, &to, sizeof(to.sun_family) + 1u);
}

static long send_to_an_address(void)
{
    struct sockaddr_un to = {.sun_family = AF_UNIX};

    return syscall(SYS_sendto, prey.pair, "x", 1, MSG_NOSIGNAL, &to, sizeof(to.sun_family));
}

static long bind_and_listen(void)
{
    return syscall(SYS_listen, prey.pair, 1);
}

static long pass_descriptor(void)
{
    union {
        struct cmsghdr head;
        char room[CMSG_SPACE(sizeof(int))];
    } control = {.head = {.cmsg_len = CMSG_LEN(sizeof(int)),
                          .cmsg_level = SOL_SOCKET,
                          .cmsg_type = SCM_RIGHTS}};
    struct iovec iov = {(void *)(uintptr_t) "x", 1};
    struct msghdr m = {.msg_iov = &iov,
                       .msg_iovlen = 1,
                       .msg_control = &control,
                       .msg_controllen = sizeof(control)};

    memcpy(CMSG_DATA(&control.head), &prey.image, sizeof(int));
    return syscall(SYS_sendmsg, prey.pair, &m, MSG_NOSIGNAL);
}

/* ---- other processes ---- */

static long signal_victim(void)
{
    return syscall(SYS_kill, prey.victim, 0);
}

static long signal_all(void)
{
    return syscall(SYS_kill, -1, 0);
}

static long signal_thread(void)
{
    return syscall(SYS_tgkill, prey.victim, prey.victim, 0);
}

static long queue_signal(void)
{
    siginfo_t info = {.si_code = SI_QUEUE};

    return syscall(SYS_rt_sigqueueinfo, prey.victim, SIGCONT, &info);
}

static long seize_victim(void)
{
    return syscall(SYS_ptrace, PTRACE_SEIZE, prey.victim, 0, 0);
}

static long read_victim(void)
{
    char to[8];
    struct iovec local = {to, sizeof(to)}, remote = {&prey, sizeof(to)};

    return syscall(SYS_process_vm_readv, prey.victim, &local, 1, &remote, 1, 0);
}

static long handle_of_victim(void)
{
    return syscall(SYS_pidfd_open, prey.victim, 0);
}

static long limits_of_victim(void)
{
    struct rlimit old;

    return syscall(SYS_prlimit64, prey.victim, RLIMIT_NOFILE, NULL, &old);
}

static long priority_of_victim(void)
{
    return syscall(SYS_setpriority, PRIO_PROCESS, prey.victim, 0);
}

static long new_process(void)
{
    long pid = syscall(SYS_fork);

    if (pid == 0)
        syscall(SYS_exit_group, 0);
    return pid;
}

static long new_thread_or_process(void)
{
    long pid = syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);

    if (pid == 0)
        syscall(SYS_exit_group, 0);
    return pid;
}

static long new_process_clone3(void)
{
    struct clone_args args = {.exit_signal = SIGCHLD};
    long pid = syscall(SYS_clone3, &args, sizeof(args));

    if (pid == 0)
        syscall(SYS_exit_group, 0);
    return pid;
}

static long new_program(void)
{
    char *const argv[] = {(char *)(uintptr_t) "/nothing/of/this/name", NULL};

    return syscall(SYS_execve, argv[0], argv, argv + 1);
}

/* ---- privilege ---- */

static long become_root(void)
{
    return syscall(SYS_setresuid, 0, 0, 0);
}

static long take_capabilities(void)
{
    struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct data[2] = {{0}};

    return syscall(SYS_capset, &head, data);
}

static long be_dumpable(void)
{
    return syscall(SYS_prctl, PR_SET_DUMPABLE, 1, 0, 0, 0);
}

static long raise_limit(void)
{
    struct rlimit r = {1024, 1024};

    return syscall(SYS_setrlimit, RLIMIT_NOFILE, &r);
}

static long new_filter(void)
{
    return syscall(SYS_seccomp, 0 /* strict */, 1, NULL);
}

static long new_namespace(void)
{
    return syscall(SYS_unshare, CLONE_NEWNS);
}

static long new_user_namespace(void)
{
    return syscall(SYS_unshare, CLONE_NEWUSER);
}

static long enter_namespace(void)
{
    return syscall(SYS_setns, prey.host_namespace, CLONE_NEWNS);
}

static long change_root(void)
{
    return syscall(SYS_chroot, "/");
}

static long mount_something(void)
{
    return syscall(SYS_mount, "none", "/nothing/of/this/name", "tmpfs", 0, NULL);
}

static long unmount_something(void)
{
    return syscall(SYS_umount2, "/nothing/of/this/name", 0);
}

static long open_file_system(void)
{
    return syscall(SYS_fsopen, "tmpfs", 0);
}

/* ---- kernel interfaces ---- */

static long new_ring(void)
{
    struct io_uring_params params = {0};

    return syscall(SYS_io_uring_setup, 4, &params);
}

static long register_with_ring(void)
{
    return syscall(SYS_io_uring_register, prey.image, IORING_REGISTER_PROBE, NULL, 0);
}

static long load_bpf(void)
{
    union bpf_attr attr = {.map_type = BPF_MAP_TYPE_ARRAY, .key_size = 4, .value_size = 4};

    attr.max_entries = 1;
    return syscall(SYS_bpf, BPF_MAP_CREATE, &attr, sizeof(attr));
}

static long fault_handler(void)
{
    return syscall(SYS_userfaultfd, O_CLOEXEC);
}

static long keys(void)
{
    return syscall(SYS_keyctl, KEYCTL_GET_KEYRING_ID, KEY_SPEC_PROCESS_KEYRING, 1);
}

static long count_events(void)
{
    struct perf_event_attr attr = {.type = PERF_TYPE_SOFTWARE, .size = sizeof(attr)};

    attr.config = PERF_COUNT_SW_CPU_CLOCK;
    return syscall(SYS_perf_event_open, &attr, 0, -1, -1, 0);
}

static long load_module(void)
{
    return syscall(SYS_init_module, NULL, 0, "");
}

static long reboot_machine(void)
{
    return syscall(SYS_reboot, 0, 0, 0, NULL);
}

static long read_kernel_log(void)
{
    return syscall(SYS_syslog, 10 /* size of the buffer */, NULL, 0);
}

static long shared_memory(void)
{
    return syscall(SYS_shmget, 0 /* IPC_PRIVATE */, 4096, 0600);
}

static long io_privilege(void)
{
    return syscall(SYS_iopl, 0);
}

static long personality_of_ours(void)
{
    return syscall(SYS_personality, 0xffffffff);
}

static long segments(void)
{
    char to[8];

    return syscall(SYS_modify_ldt, 0, to, sizeof(to));
}

static long executable_memory(void)
{
    return (long)syscall(SYS_mmap, NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS,
                         -1, 0) == -1
               ? -1
               : 0;
}

static long executable_protection(void)
{
    static char page[4096] __attribute__((aligned(4096)));

    return syscall(SYS_mprotect, page, sizeof(page), PROT_READ | PROT_EXEC);
}

/* ---- ioctl: requests that are none of ours, on a descriptor that refuses them outside ---- */

static long request_hypercall(void)
{
    return syscall(SYS_ioctl, prey.image, IOCTL_PRIVCMD_MMAPBATCH_V2, NULL);
}

static long request_dma_buffer(void)
{
    return syscall(SYS_ioctl, prey.image, IOCTL_GNTDEV_DMABUF_EXP_FROM_REFS, NULL);
}

static long request_any_port(void)
{
    return syscall(SYS_ioctl, prey.image, IOCTL_EVTCHN_BIND_VIRQ, NULL);
}

static long request_terminal_input(void)
{
    return syscall(SYS_ioctl, prey.image, TIOCSTI, "x");
}

static long request_interface(void)
{
    return syscall(SYS_ioctl, prey.image, TUNSETIFF, NULL);
}

static long request_asynchronous(void)
{
    int on = 1;

    return syscall(SYS_ioctl, prey.pair, FIOASYNC, &on);
}

/* An ioctl number with garbage above its 32 bits: the kernel looks at the lower half. */
static long request_in_disguise(void)
{
    return syscall(SYS_ioctl, prey.image, 0x100000000ul | IOCTL_PRIVCMD_HYPERCALL, NULL);
}

const struct attempt attempts[] = {
    {"open a file", open_file, 0},
    {"openat a file", openat_file, 0},
    {"openat2 a file", openat2_file, 0},
    {"open a path above a directory that was passed in", open_above_descriptor, 0},
    {"create a file", open_new_file, 0},
    {"open the memory of another process", open_memory_of_victim, 0},
    {"open /proc/self/maps", open_proc_self, 0},
    {"stat a path", stat_file, 0},
    {"read a link", readlink_root, 0},
    {"remove a file", unlink_file, ENOENT},
    {"rename a file", rename_file, ENOENT},
    {"make a directory", make_directory, ENOENT},
    {"make a device node", make_node, ENOENT},
    {"change a file's mode", change_mode, ENOENT},
    {"make the image set-user-id", change_mode_of_image, 0},
    {"list a directory", list_directory, 0},
    {"enter a directory", enter_directory, 0},
    {"open a file by handle", file_by_handle, EBADF},
    {"make a memory file", memory_file, 0},
    {"have signals sent by a descriptor", own_image, 0},
    {"duplicate a descriptor", duplicate, 0},
    {"make a UNIX socket", socket_unix, 0},
    {"make an internet socket", socket_inet, 0},
    {"make a netlink socket", socket_netlink, 0},
    {"connect to the store", connect_to_store, 0},
    {"connect a socket that was passed in", connect_passed_socket, ECONNREFUSED},
    {"send to an address", send_to_an_address, 0},
    {"listen", bind_and_listen, EINVAL},
    {"pass a descriptor on", pass_descriptor, 0},
    {"signal a process", signal_victim, 0},
    {"signal every process", signal_all, 0},
    {"signal a thread", signal_thread, 0},
    {"queue a signal", queue_signal, 0},
    {"ptrace a process", seize_victim, 0},
    {"read another process's memory", read_victim, 0},
    {"get a handle on a process", handle_of_victim, 0},
    {"read another process's limits", limits_of_victim, 0},
    {"change another process's priority", priority_of_victim, 0},
    {"fork", new_process, 0},
    {"clone", new_thread_or_process, 0},
    {"clone3", new_process_clone3, 0},
    {"execute a program", new_program, ENOENT},
    {"become root", become_root, 0},
    {"set capabilities", take_capabilities, 0},
    {"become dumpable", be_dumpable, 0},
    {"raise a limit", raise_limit, 0},
    {"load another filter", new_filter, EINVAL},
    {"make a mount namespace", new_namespace, 0},
    {"make a user namespace", new_user_namespace, 0},
    {"enter the host's mount namespace", enter_namespace, 0},
    {"change the root directory", change_root, 0},
    {"mount", mount_something, ENOENT},
    {"unmount", unmount_something, ENOENT},
    {"open a file system", open_file_system, 0},
    {"set up an io_uring", new_ring, 0},
    {"register with an io_uring", register_with_ring, EOPNOTSUPP},
    {"make a BPF map", load_bpf, 0},
    {"handle page faults", fault_handler, 0},
    {"use keyrings", keys, 0},
    {"count performance events", count_events, 0},
    {"load a module", load_module, ENOEXEC},
    {"reboot", reboot_machine, EINVAL},
    {"read the kernel's log", read_kernel_log, 0},
    {"make shared memory", shared_memory, 0},
    {"change the I/O privilege", io_privilege, 0},
    {"read the personality", personality_of_ours, 0},
    {"read the local descriptor table", segments, 0},
    {"map executable memory", executable_memory, 0},
    {"make memory executable", executable_protection, 0},
    {"ioctl: map another domain's memory", request_hypercall, ENOTTY},
    {"ioctl: export grants as a DMA buffer", request_dma_buffer, ENOTTY},
    {"ioctl: bind a virtual interrupt", request_any_port, ENOTTY},
    {"ioctl: type into a terminal", request_terminal_input, ENOTTY},
    {"ioctl: take an interface", request_interface, ENOTTY},
    {"ioctl: have signals sent", request_asynchronous, 0},
    {"ioctl: hypercall, number in disguise", request_in_disguise, ENOTTY},
};
const size_t nr_attempts = sizeof(attempts) / sizeof(attempts[0]);
