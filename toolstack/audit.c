/* SPDX-License-Identifier: MIT */
/*
 * The verb audit: asks the hypervisor, by its debug key, to recount every reference it keeps, and
 * reads the outcome from its messages. Both are sysctls that any Xen has; what the key does is
 * ours, so on another hypervisor the outcome does not come, and that is said.
 */
#include "verbs.h"
#include "json.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MESSAGES_MAX = 256 * 1024, AUDIT_KEY = 'a' };

/* What the hypervisor said since *index, with a NUL at its end; NULL and a complaint on failure. */
static char *messages_since(struct session *s, uint32_t *index)
{
    char *text = malloc(MESSAGES_MAX + 1);
    size_t len = 0;
    int n = 0;

    if (!text) {
        diag_set(&s->d, "out of memory");
        return NULL;
    }
    while (len < MESSAGES_MAX &&
           (n = hv_console(s->hv, text + len, (uint32_t)(MESSAGES_MAX - len), false, index)) > 0)
        len += (size_t)n;
    if (n < 0) {
        diag_set(&s->d, "the hypervisor does not give its messages: %s", strerror(-n));
        free(text);
        return NULL;
    }
    text[len] = 0;
    return text;
}

/* Lines that begin with "audit:" behind the log's own prefix; the last says how many there were. */
static int report(struct session *s, char *text, bool json)
{
    struct json *object = json ? json_object() : NULL;
    struct json *findings = json ? json_add_array(object, "findings") : NULL;
    int violations = -1;
    char *rest = text;

    for (char *line; (line = strsep(&rest, "\n"));) {
        const char *said = strstr(line, "audit: ");

        if (!said)
            continue;
        if (sscanf(said, "audit: %d violations", &violations) == 1)
            break;
        if (json)
            json_append(findings, json_string(said + strlen("audit: ")));
        else
            puts(said);
    }
    if (violations < 0) {
        json_free(object);
        return diag_set(&s->d, "the hypervisor said nothing of an audit: is it Tenue?");
    }
    if (json) {
        json_add_number(object, "violations", violations);
        print_json(object);
    } else {
        printf("audit: %d violations\n", violations);
    }
    return violations ? EXIT_FAILED : 0;
}

int verb_audit(int argc, char **argv)
{
    struct session s;
    uint32_t index = 0;
    bool json = argc == 2 && strcmp(argv[1], "--json") == 0;

    if (argc > 2 || (argc == 2 && !json))
        return usage();
    int rc = session_open(&s, NEED_HV);
    if (rc)
        return rc;
    char *text = messages_since(&s, &index);
    rc = text ? hv_debug_key(s.hv, AUDIT_KEY) : -1;
    if (text && rc)
        diag_set(&s.d, "the hypervisor takes no debug keys: %s", strerror(-rc));
    free(text);
    text = rc ? NULL : messages_since(&s, &index);
    if (!text)
        return session_close(&s, -1);
    rc = report(&s, text, json);
    free(text);
    return rc > 0 ? (session_close(&s, 0), rc) : session_close(&s, rc);
}
