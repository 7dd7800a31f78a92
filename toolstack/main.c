/* SPDX-License-Identifier: MIT */
/*
 * tenue: makes, lists and ends guests. This file is the table of verbs; README.md is the map of
 * the folder, tenue(1) the manual.
 */
#include "verbs.h"

#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

static const struct verb {
    const char *name;
    int (*run)(int argc, char **argv);
    const char *args, *what;
} verbs[] = {
    {"create", verb_create, "[-c] [-p] [-q] [-n|--dry-run] FILE",
     "Make a guest from a guest file.\n"
     "  -c             attach to its console\n"
     "  -p             leave it paused\n"
     "  -q             say nothing\n"
     "  -n, --dry-run  check everything, print the plan as JSON, make nothing"},
    {"list", verb_list, "[-l] [--json] [DOMAIN]",
     "List guests: name, id, memory, vCPUs, state, CPU seconds.\n"
     "  -l      long, as JSON\n"
     "  --json  as JSON"},
    {"console", verb_console, "DOMAIN", "Attach to a guest's console; ^] leaves it."},
    {"shutdown", verb_shutdown, "[-w] DOMAIN",
     "Ask a guest to power off.\n"
     "  -w      wait until it is gone"},
    {"reboot", verb_reboot, "DOMAIN", "Ask a guest to restart."},
    {"destroy", verb_destroy, "DOMAIN", "End a guest at once, without asking it."},
    {"pause", verb_pause, "DOMAIN", "Stop a guest's vCPUs."},
    {"unpause", verb_unpause, "DOMAIN", "Let them run again."},
    {"suspend", verb_suspend, "[-t SECONDS] DOMAIN",
     "Ask a guest to bring its devices to rest and stand still.\n"
     "  -t SECONDS  how long it may take (60)"},
    {"resume", verb_resume, "DOMAIN", "Let a suspended guest go on."},
    {"info", verb_info, "[--json | --prometheus]", "Describe the machine and the hypervisor."},
    {"dmesg", verb_dmesg, "[-c]",
     "Print the hypervisor's messages.\n"
     "  -c      and clear them"},
    {"domid", verb_domid, "NAME", "Print a guest's number."},
    {"domname", verb_domname, "ID", "Print a guest's name."},
    {"uptime", verb_uptime, "[--json] [DOMAIN]", "Print how long guests have been up."},
    {"block-list", verb_block_list, "[--json] DOMAIN", "List a guest's disks."},
    {"block-resize", verb_block_resize, "DOMAIN DISK [SIZE]",
     "Let a disk grow while its guest uses it.\n"
     "  DISK  xvda, or the number that block-list shows\n"
     "  SIZE  of the raw image, such as 20G (K, M, G, T; bytes otherwise); none: it has grown"},
    {"network-list", verb_network_list, "[--json] DOMAIN", "List a guest's network devices."},
    {"net", verb_net,
     "list [--json] | show [--json] NAME | verify [--json] [NAME] | exec NETWORK [--] COMMAND...",
     "List guests' networks, show one, try who reaches whom, run a command as a guest would be.\n"
     "  list     networks that guests are on\n"
     "  show     one of them: guests, addresses, forwarded ports\n"
     "  verify   send packets wherever the table says yes or no; status 1 if a cell is wrong\n"
     "  exec     NETWORK as behind network= in a guest file: nat, internal:lab, "
     "nat,forward=tcp:8080:80"},
    {"lab", verb_lab, "list | show | run | plot | table | compare | replay | record ...",
     "Run experiments on I/O, with intervals and plots.\n"
     "  see tenue lab --help and tenue-lab(8)"},
    {"limits", verb_limits, "[--json] [DOMAIN [DEVICE [LIMIT]]] | -g [--json] [GROUP [LIMIT]]",
     "Show or set how much devices may do a second, and what that made wait.\n"
     "  DEVICE     xvda, vif0\n"
     "  LIMIT      2000iops, 20MB/s, 2000iops@100+20MB/s, none; tenue.cfg(5) says more\n"
     "  -g         of a group of devices, which share it\n"
     "  --json     as JSON"},
    {"top", verb_top, "[-b] [-n COUNT] [-d SECONDS] [--json | --prometheus]",
     "Show what domains use, again and again.\n"
     "  -b            batch: no control characters\n"
     "  -n COUNT      as often as that (for ever; with --json once)\n"
     "  -d SECONDS    between two tables (3)\n"
     "  --json        as JSON\n"
     "  --prometheus  counters as text, once; with times by part while cost --enable is in force"},
    {"cost", verb_cost, "[-t SECONDS] [--json | --prometheus] DOMAIN | --enable | --disable",
     "Show where the time of a guest's vCPUs goes: guest, hypercalls, traps, waiting, blocked.\n"
     "  -t SECONDS    look for that long (3)\n"
     "  --json        as JSON, with each vCPU by itself\n"
     "  --prometheus  counters since accounts are kept, as text\n"
     "  --enable      keep accounts from now on, not only while one looks\n"
     "  --disable     and no more"},
    {"trace", verb_trace, "-o FILE [-t SECONDS] [-r RECORDS] [DOMAIN]",
     "Record entries, exits, switches, hypercalls and events into a file for Perfetto.\n"
     "  -o FILE     JSON in Chrome's format; - is the standard output\n"
     "  -t SECONDS  record for that long (1)\n"
     "  -r RECORDS  room in the hypervisor for each CPU (65536, 16 bytes each)"},
    {"sched", verb_sched, "[--json] [-d DOMAIN [-w WEIGHT] [-c CAP]]",
     "Show or set shares of CPU time.\n"
     "  -d DOMAIN  of this one only\n"
     "  -w WEIGHT  1 to 65535, 256 at first: twice the weight, twice the time of each vCPU\n"
     "  -c CAP     at most so many percent of one CPU for all its vCPUs; 0: no limit"},
    {"vcpu-list", verb_vcpu_list, "[--json] [DOMAIN...]",
     "List vCPUs: CPU, state, seconds, where they may run."},
    {"vcpu-pin", verb_vcpu_pin, "DOMAIN VCPU|all CPUS|- [SOFT]",
     "Say on which CPUs a vCPU may run.\n"
     "  CPUS  such as 0-3,^2 or all; - leaves them as they are\n"
     "  SOFT  where it would rather run"},
    {"vcpu-set", verb_vcpu_set, "DOMAIN NUMBER",
     "Ask a guest to use so many vCPUs, at most its maxvcpus."},
    {"audit", verb_audit, "[--json]",
     "Have the hypervisor recount all its references; status 1 if any is wrong."},
    {"init", verb_init, "",
     "Prepare the control domain: its store nodes and our folders. Once per"
     " boot."},
};

enum { NR_VERBS = sizeof(verbs) / sizeof(*verbs) };

static const struct verb *find_verb(const char *name)
{
    for (size_t i = 0; i < NR_VERBS; i++)
        if (strcmp(verbs[i].name, name) == 0)
            return &verbs[i];
    return NULL;
}

static int help_all(FILE *to)
{
    fprintf(to, "Usage: tenue VERB [OPTIONS] ...\n\n");
    for (size_t i = 0; i < NR_VERBS; i++) {
        const char *end = strpbrk(verbs[i].what, ".\n");
        int len = end ? (int)(end - verbs[i].what) : (int)strlen(verbs[i].what);

        fprintf(to, "  %-13s %.*s\n", verbs[i].name, len, verbs[i].what);
    }
    fprintf(to, "\ntenue help VERB says more; guest files are described in tenue.cfg(5).\n");
    return to == stdout ? 0 : EXIT_USAGE;
}

static int help_verb(const char *name)
{
    const struct verb *v = find_verb(name);

    if (!v) {
        fprintf(stderr, "tenue: there is no verb \"%s\"; tenue help lists them\n", name);
        return EXIT_USAGE;
    }
    printf("Usage: tenue %s %s\n\n%s\n", v->name, v->args, v->what);
    return 0;
}

static bool asks_for_help(const char *word)
{
    return strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0;
}

int main(int argc, char **argv)
{
    signal(SIGPIPE, SIG_IGN);
    if (argc < 2)
        return help_all(stderr);
    const char *name = argv[1];

    if (strcmp(name, "help") == 0 || asks_for_help(name))
        return argc > 2 ? help_verb(argv[2]) : help_all(stdout);
    const struct verb *v = find_verb(name);

    if (!v)
        return help_verb(name);
    if (argc > 2 && asks_for_help(argv[2]))
        return help_verb(name);
    /* "net verify --help", too; the verbs of tenue lab tell of themselves. */
    if (argc == 4 && asks_for_help(argv[3]) && v->run != verb_lab)
        return help_verb(name);
    usage_is(v->name, v->args);
    return v->run(argc - 1, argv + 1);
}
