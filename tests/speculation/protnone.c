/* SPDX-License-Identifier: MIT */
/*
 * In the control domain: pages that were written become inaccessible and accessible again, so that
 * the kernel stores entries that are not present and still name their frames (MM-27). Exit status
 * 0, or the number of the step that failed. No C library: it travels over the test channel.
 */
#define SYS_WRITE 1
#define SYS_MMAP 9
#define SYS_MPROTECT 10
#define SYS_PIPE 22
#define SYS_EXIT 60
#define PROT_NONE 0
#define PROT_RW 3
#define MAP_PRIVATE_ANONYMOUS 0x22
#define EFAULT 14
#define PAGES 64
#define PAGE 4096ul

static long call(long nr, long a, long b, long c, long d)
{
    register long r10 __asm__("r10") = d, r8 __asm__("r8") = -1, r9 __asm__("r9") = 0;
    long ret;

    __asm__ volatile("syscall"
                     : "=a"(ret)
                     : "a"(nr), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
                     : "rcx", "r11", "memory");
    return ret;
}

static long step(void)
{
    char *p = (char *)call(SYS_MMAP, 0, PAGES * PAGE, PROT_RW, MAP_PRIVATE_ANONYMOUS);
    int ends[2];

    if ((unsigned long)p > -4096ul || call(SYS_PIPE, (long)ends, 0, 0, 0))
        return 1;
    for (unsigned long i = 0; i < PAGES; i++)
        p[i * PAGE] = (char)(i + 1);
    if (call(SYS_MPROTECT, (long)p, PAGES * PAGE, PROT_NONE, 0))
        return 2;
    /* The kernel reads for us, and does not get there. */
    for (unsigned long i = 0; i < PAGES; i++)
        if (call(SYS_WRITE, ends[1], (long)&p[i * PAGE], 1, 0) != -EFAULT)
            return 3;
    if (call(SYS_MPROTECT, (long)p, PAGES * PAGE, PROT_RW, 0))
        return 4;
    for (unsigned long i = 0; i < PAGES; i++)
        if (p[i * PAGE] != (char)(i + 1))
            return 5;
    return 0;
}

void _start(void);
void _start(void)
{
    call(SYS_EXIT, step(), 0, 0, 0);
    __builtin_unreachable();
}
