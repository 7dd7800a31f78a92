/* SPDX-License-Identifier: MIT */
/*
 * What the verbs share: the hypervisor and the store opened together, and the ways to answer.
 * Owns the words of the verb that runs.
 */
#include "domain.h"
#include "json.h"
#include "verbs.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *verb_name, *verb_args;

void usage_is(const char *name, const char *args)
{
    verb_name = name;
    verb_args = args;
}

int usage(void)
{
    fprintf(stderr, "Usage: tenue %s %s\n", verb_name, verb_args);
    return EXIT_USAGE;
}

void print_json(struct json *json)
{
    char *text = json_print(json);

    if (text)
        puts(text);
    free(text);
    json_free(json);
}

int session_open(struct session *s, unsigned need)
{
    memset(s, 0, sizeof(*s));
    if (need & NEED_HV) {
        s->hv = hv_open(&s->d);
        if (!s->hv)
            return session_close(s, -1);
    }
    if ((need & (NEED_STORE | MAY_STORE)) && store_open(&s->st, &s->d) != 0) {
        if (need & NEED_STORE)
            return session_close(s, -1);
        fprintf(stderr, "tenue: warning: %s\n", s->d.text);
        s->d.text[0] = 0;
    }
    return 0;
}

int session_open_domain(struct session *s, unsigned need, const char *what, uint32_t *domid)
{
    int rc = session_open(s, need);

    if (rc == 0 && domain_find(s->hv, &s->st, what, domid, &s->d) != 0)
        rc = session_close(s, -1);
    return rc;
}

int session_open_argument(struct session *s, int argc, char **argv, uint32_t *domid)
{
    if (argc != 2 || argv[1][0] == '-')
        return usage();
    return session_open_domain(s, NEED_BOTH, argv[1], domid);
}

int session_close(struct session *s, int rc)
{
    store_close(&s->st);
    hv_close(s->hv);
    s->hv = NULL;
    if (rc == 0)
        return 0;
    fprintf(stderr, "tenue: %s\n", s->d.text[0] ? s->d.text : "failed");
    return EXIT_FAILED;
}
