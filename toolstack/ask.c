/* SPDX-License-Identifier: MIT */
/*
 * What commands ask of a guest's supervisor: one request, one answer, over its socket
 * (supervise.h).
 */
#include "supervise.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum { ANSWER_ROOM = 1200 };

void supervise_address(const char *name, struct sockaddr_un *addr)
{
    *addr = (struct sockaddr_un){.sun_family = AF_UNIX};
    snprintf(addr->sun_path, sizeof(addr->sun_path), SUPERVISE_RUN_DIR "/%s.sock", name);
}

int supervise_ask(const char *name, const char *request, struct diag *d)
{
    struct sockaddr_un addr;
    char text[ANSWER_ROOM] = "";
    int rc = 1;

    supervise_address(name, &addr);
    int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return diag_errno(d, "no socket");
    if (connect(fd, (struct sockaddr *)&addr, sizeof(addr)) == 0) {
        ssize_t n = send(fd, request, strlen(request), MSG_NOSIGNAL);

        if (n > 0)
            n = recv(fd, text, sizeof(text) - 1, 0);
        text[n > 0 ? n : 0] = 0;
        if (strcmp(text, "ok") == 0)
            rc = 0;
        else if (n > 0 && strcmp(text, "not this domain") != 0)
            rc = diag_set(d, "%s", text);
    } else if (errno == ECONNREFUSED) {
        unlink(addr.sun_path); /* its supervisor was killed */
    }
    close(fd);
    return rc;
}

int supervise_ask_destroy(const char *name, uint32_t domid, struct diag *d)
{
    char request[32];

    snprintf(request, sizeof(request), "destroy %u", domid);
    return supervise_ask(name, request, d);
}

int supervise_ask_all_destroy(uint32_t domid, struct diag *d)
{
    char name[CONFIG_MAX_NAME + 1];
    struct dirent *entry;
    DIR *dir = opendir(SUPERVISE_RUN_DIR);
    int rc = 1;

    while (dir && rc == 1 && (entry = readdir(dir)) != NULL) {
        const char *end = strrchr(entry->d_name, '.');
        size_t len = end && strcmp(end, ".sock") == 0 ? (size_t)(end - entry->d_name) : 0;

        if (!len || len > CONFIG_MAX_NAME)
            continue;
        memcpy(name, entry->d_name, len);
        name[len] = 0;
        rc = supervise_ask_destroy(name, domid, d);
    }
    if (dir)
        closedir(dir);
    return rc;
}
