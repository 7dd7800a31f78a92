/* SPDX-License-Identifier: MIT */
/* What the toolstack asks for by control/shutdown: watched, taken, and acknowledged by emptying it.
 */
#include <tenue-front/front.h>
#include <xen/errno.h>

#define NODE "control/shutdown"

static int watch = -1;

int front_power_init(void)
{
    static const char *const can[] = {"control/feature-poweroff", "control/feature-reboot",
                                      "control/feature-suspend"};
    int rc = front_xs_init();

    if (rc || watch >= 0)
        return rc;
    watch = front_xs_watch(NODE);
    if (watch < 0)
        return watch;
    /* Older toolstacks have no such nodes, and ask all the same. */
    for (unsigned i = 0; i < FRONT_ARRAY_SIZE(can); i++) {
        rc = front_xs_write(can[i], "1");
        if (rc && rc != -XEN_EACCES && rc != -XEN_ENOENT)
            return rc;
    }
    return 0;
}

enum front_power front_power_wanted(void)
{
    static const struct {
        const char *word;
        enum front_power what;
    } words[] = {{"poweroff", FRONT_POWER_OFF},
                 {"halt", FRONT_POWER_OFF},
                 {"reboot", FRONT_POWER_REBOOT},
                 {"suspend", FRONT_POWER_SUSPEND}};
    char word[16];

    if (watch < 0 || !front_xs_fired(watch) || front_xs_read(NODE, word, sizeof(word)) || !*word)
        return FRONT_POWER_NONE;
    front_xs_write(NODE, "");
    for (unsigned i = 0; i < FRONT_ARRAY_SIZE(words); i++) {
        if (!strcmp(word, words[i].word))
            return words[i].what;
    }
    return FRONT_POWER_OTHER;
}
