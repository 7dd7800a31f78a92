/* SPDX-License-Identifier: MIT */
/* tests.h - the suites of the backends' hosted tests; each file adds one. */
#ifndef TESTS_BACKENDS_TESTS_H
#define TESTS_BACKENDS_TESTS_H

void suite_channel(void);
void suite_request(void);
void suite_packet(void);
void suite_guard(void);
void suite_console(void);
void suite_device(void);
void suite_blkback(void);
void suite_uring(void);
void suite_nbd(void);
void suite_qcow2(void);
void suite_net(void);
void suite_arena(void);
void suite_conback(void);
void suite_xsclient(void);
void suite_limit(void);
void suite_resume(void);
void suite_capture(void);
void suite_netcap(void);

#endif
