/* SPDX-License-Identifier: MIT */
/* Anti-spoofing for interfaces of the kernel's netback: see vifguard.h. */
#include "vifguard.h"

#include "program.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static void put_hex(FILE *f, const uint8_t *raw, size_t n)
{
    for (size_t i = 0; i < n; i++)
        fprintf(f, "%02x", raw[i]);
}

/* "define own4 = { ... }": its addresses of a family and "none yet"; false: it may use any. */
static bool define_own(FILE *f, const struct devhost_spec *spec, int family)
{
    const size_t bytes = family == AF_INET ? 4 : 16;
    const uint8_t *m = spec->net.mac;
    uint8_t raw[16];
    bool any = false;

    for (unsigned i = 0; i < spec->net.nr_ips; i++) {
        if (inet_pton(family, spec->net.ips[i], raw) != 1)
            continue;
        fprintf(f, any ? ", 0x" : "define own%c = { 0x", family == AF_INET ? '4' : '6');
        put_hex(f, raw, bytes);
        any = true;
    }
    if (!any)
        return false;
    fprintf(f, ", 0x0");
    if (family == AF_INET6) { /* and what its station makes of itself on the link */
        const uint8_t own[16] = {0xfe,     0x80, 0,    0,    0,    0,    0,    0,
                                 m[0] ^ 2, m[1], m[2], 0xff, 0xfe, m[3], m[4], m[5]};

        fprintf(f, ", 0x");
        put_hex(f, own, sizeof(own));
    }
    fprintf(f, " }\n");
    return true;
}

/*
 * Neighbour discovery. An option that names a station names its own; hosts send at most one option,
 * and a second, which could not be looked at, is refused.
 */
static void put_discovery(FILE *f, const char *mac, bool own6)
{
    static const struct {
        const char *types;
        unsigned at; /* bits before the options */
    } kinds[] = {{"{ nd-neighbor-solicit, nd-neighbor-advert }", 192}, {"nd-router-solicit", 64}};

    fprintf(f, "\t\tmeta protocol ip6 icmpv6 type { nd-router-advert, nd-redirect } drop\n");
    for (size_t i = 0; i < 2; i++) {
        fprintf(f, "\t\tmeta protocol ip6 icmpv6 type %s @th,%u,8 0-255 drop\n", kinds[i].types,
                kinds[i].at + 64);
        fprintf(f,
                "\t\tmeta protocol ip6 icmpv6 type %s @th,%u,8 { 1, 2 } @th,%u,48 != 0x%s drop\n",
                kinds[i].types, kinds[i].at, kinds[i].at + 16, mac);
    }
    if (own6)
        fprintf(f,
                "\t\tmeta protocol ip6 icmpv6 type nd-neighbor-advert @th,64,128 != $own6 drop\n");
}

/* Each kind of frame is let in only where it could be read as far as its rule needs. */
char *vifguard_rules(const char *ifname, const struct devhost_spec *spec)
{
    const uint8_t *m = spec->net.mac;
    char *text = NULL, mac[18], plain[13];
    size_t len;
    FILE *f = open_memstream(&text, &len);

    if (!f)
        return NULL;
    snprintf(mac, sizeof(mac), "%02x:%02x:%02x:%02x:%02x:%02x", m[0], m[1], m[2], m[3], m[4], m[5]);
    snprintf(plain, sizeof(plain), "%02x%02x%02x%02x%02x%02x", m[0], m[1], m[2], m[3], m[4], m[5]);

    const bool own4 = define_own(f, spec, AF_INET), own6 = define_own(f, spec, AF_INET6);

    fprintf(f,
            "table netdev tenue-%s {\n\tchain in {\n"
            "\t\ttype filter hook ingress device \"%s\" priority -300; policy accept;\n"
            "\t\tether saddr != %s drop\n"
            "\t\tmeta protocol ip %s accept\n" /* early: it is what most frames are */
            "\t\tmeta protocol { ip, 0x8100, 0x88a8, 0x8035 } drop\n"
            "\t\tmeta protocol arp arp htype 1 arp ptype ip arp hlen 6 arp plen 4"
            " arp saddr ether %s%s accept\n"
            "\t\tmeta protocol arp drop\n",
            ifname, ifname, mac, own4 ? "@nh,96,32 $own4" : "", mac,
            own4 ? " @nh,112,32 $own4" : "");
    if (own6)
        fprintf(f, "\t\tmeta protocol ip6 @nh,64,128 != $own6 drop\n");
    put_discovery(f, plain, own6);
    fprintf(f, "\t}\n}\n");
    fclose(f);
    return text;
}

static void file_of(const char *ifname, char path[64])
{
    snprintf(path, 64, VIFGUARD_DIR "/%.15s", ifname);
}

static int note(const char *ifname, struct diag *d)
{
    char path[64];
    int fd;

    file_of(ifname, path);
    if (mkdir(VIFGUARD_DIR, 0700) != 0 && errno != EEXIST)
        return diag_errno(d, "cannot make " VIFGUARD_DIR);
    fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0)
        return diag_errno(d, "cannot write %s", path);
    close(fd);
    return 0;
}

int vifguard_load(const char *ifname, const struct devhost_spec *spec, struct diag *d)
{
    vifguard_sweep();
    if (note(ifname, d) != 0)
        return -1;
    return nft_load(vifguard_rules(ifname, spec), d);
}

void vifguard_drop(const char *ifname)
{
    char path[64];
    char *rules;
    struct diag d = {0};

    file_of(ifname, path);
    if (access(path, F_OK) != 0)
        return; /* it had none */
    /* Named first, so that removing one that is not there is no error. */
    if (asprintf(&rules, "table netdev tenue-%.15s\ndelete table netdev tenue-%.15s\n", ifname,
                 ifname) < 0)
        rules = NULL;
    if (nft_load(rules, &d) != 0)
        fprintf(stderr, "tenue: warning: %s\n", d.text);
    else
        unlink(path);
    rmdir(VIFGUARD_DIR);
}

void vifguard_sweep(void)
{
    DIR *dir = opendir(VIFGUARD_DIR);
    char path[64];
    struct dirent *e;

    while (dir && (e = readdir(dir)) != NULL) {
        if (e->d_name[0] == '.')
            continue;
        snprintf(path, sizeof(path), "/sys/class/net/%.15s", e->d_name);
        if (access(path, F_OK) != 0)
            vifguard_drop(e->d_name);
    }
    if (dir)
        closedir(dir);
}
