/* SPDX-License-Identifier: MIT */
/*
 * What every lab shares. A lab's guest is the student's file, the lab's own peer.c, which tries
 * what the student wrote and is its other end, and lab.c, which starts and ends the guest. The
 * grader (labs/grade) draws inputs, hands them over on the command line, and judges the facts that
 * the guest prints.
 */
#ifndef LABS_LAB_H
#define LABS_LAB_H

#include <tenue-front/front.h>
#include <tenue-front/x86.h>
#include <xen/errno.h>

/* ---- for everybody ---- */

/* An input of this run by its name; one that was not given ends the guest. */
u64 lab_number(const char *name);
const char *lab_word(const char *name);

/* ---- for a lab's peer.c ---- */

/* The lab. Returning from it ends the guest. */
void lab_run(void);

/* One fact, for the grader: a name of letters, digits and `_`, and the rest of the line. A name
 * that is told twice counts as it was told last. */
void lab_fact(const char *name, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* A generator of numbers that depends on the run's seed alone. */
u64 lab_random(void);

/* Hypercalls of this domain as the hypervisor's own trace has them, however they were made: between
 * the two calls, those of number `nr` whose first argument's low 16 bits are `op` (LAB_ANY: all).
 */
#define LAB_ANY (-1)
void lab_trace_begin(void);
void lab_trace_end(void);
unsigned lab_calls(unsigned nr, int op);

/* An alarm, for what might sleep for ever: true once its time had come. It takes the timer and an
 * event of its own, which arrives like any other. */
void lab_alarm_set(u64 ns);
bool lab_alarm_rang(void);
evtchn_port_t lab_alarm_port(void);

#endif
