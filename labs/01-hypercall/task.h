/* SPDX-License-Identifier: MIT */
/* Lab 1: the functions that you write. README.md says what each must do. */
#ifndef LAB_TASK_H
#define LAB_TASK_H

#include <lab.h>

long my_hypercall(u64 nr, u64 a1, u64 a2, u64 a3, u64 a4);
void my_say(const char *text);
void my_version(unsigned *major, unsigned *minor);
int my_error(u64 nr, u64 a1, u64 a2);

#endif
