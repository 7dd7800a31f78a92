/* SPDX-License-Identifier: MIT */
/*
 * The verbs of the command. Each takes the words from its own name on and returns the exit code:
 * 0, 1 when the thing failed (one line said why), 2 for wrong usage.
 */
#ifndef TENUE_VERBS_H
#define TENUE_VERBS_H

#include "diag.h"
#include "hv.h"
#include "store.h"

#include <stdbool.h>
#include <stdint.h>

struct json;

enum { EXIT_FAILED = 1, EXIT_USAGE = 2 };

/*
 * Hypervisor and store, opened together; a verb may ask for one of the two. With MAY_STORE a store
 * that is away is no failure: reads find nothing, and names are not known.
 */
struct session {
    struct hv *hv;
    struct store st;
    struct diag d;
};
enum { NEED_HV = 1, NEED_STORE = 2, NEED_BOTH = 3, MAY_STORE = 4 };

/* Prints the complaint if rc says failure, closes, and returns the exit code. */
int session_close(struct session *s, int rc);
/* 0, or EXIT_FAILED after printing the complaint. */
int session_open(struct session *s, unsigned need) MUST_CHECK;
/* The same with a domain looked up by the verb's only plain word. */
int session_open_domain(struct session *s, unsigned need, const char *what,
                        uint32_t *domid) MUST_CHECK;
/* For verbs that take a domain and nothing else: also EXIT_USAGE. */
int session_open_argument(struct session *s, int argc, char **argv, uint32_t *domid) MUST_CHECK;

/* machine.c: the machine's metrics, as Prometheus wants them. */
int machine_prometheus(struct session *s, const struct xen_sysctl_physinfo *m) MUST_CHECK;
void prometheus_head(const char *name, const char *type, const char *help);

/* session.c: the words of the verb that is about to run, and EXIT_USAGE after printing them. */
void usage_is(const char *name, const char *args);
int usage(void);
/* Prints and frees it. */
void print_json(struct json *json);

/* control.c: asks the guest by its control/shutdown: "poweroff", "reboot", "suspend". */
int ask_guest(struct session *s, uint32_t domid, const char *what) MUST_CHECK;
/* control.c: returns when the store spoke, or after ms milliseconds (-1: never). */
void wait_for_store(struct store *st, int ms);

/* list.c: "rbpscd", a dash for what is not so: running blocked paused shut-down crashed dying. */
enum { STATE_LETTERS = 6 };
void state_letters(uint32_t flags, char out[STATE_LETTERS + 1]);

/* list.c: calls show for each domain, or for the one asked for, until it is not 0. */
typedef int domain_fn(struct session *s, const struct xen_domctl_getdomaininfo *info,
                      const char *name, void *arg);
int each_domain(struct session *s, const char *only, domain_fn *show, void *arg) MUST_CHECK;

/* create.c, control.c, suspend.c, console.c, list.c, devlist.c, resize.c, netverbs.c, labverb.c,
 * audit.c, vcpus.c, top.c, cost.c, trace.c */
int verb_create(int argc, char **argv);
int verb_destroy(int argc, char **argv);
int verb_shutdown(int argc, char **argv);
int verb_reboot(int argc, char **argv);
int verb_pause(int argc, char **argv);
int verb_unpause(int argc, char **argv);
int verb_suspend(int argc, char **argv);
int verb_resume(int argc, char **argv);
int verb_init(int argc, char **argv);
int verb_console(int argc, char **argv);
int verb_list(int argc, char **argv);
int verb_info(int argc, char **argv);
int verb_dmesg(int argc, char **argv);
int verb_domid(int argc, char **argv);
int verb_domname(int argc, char **argv);
int verb_uptime(int argc, char **argv);
int verb_block_list(int argc, char **argv);
int verb_network_list(int argc, char **argv);
int verb_block_resize(int argc, char **argv);
int verb_net(int argc, char **argv);
int verb_lab(int argc, char **argv);
int verb_limits(int argc, char **argv);
int verb_audit(int argc, char **argv);
int verb_sched(int argc, char **argv);
int verb_vcpu_list(int argc, char **argv);
int verb_vcpu_pin(int argc, char **argv);
int verb_vcpu_set(int argc, char **argv);
int verb_top(int argc, char **argv);
int verb_cost(int argc, char **argv);
int verb_trace(int argc, char **argv);

/* console.c: opens a guest's terminal, and copies between it and ours until ^] or its end. */
int console_open(struct store *st, uint32_t domid, struct diag *d) MUST_CHECK;
int console_attach(int tty, struct diag *d) MUST_CHECK;

#endif
