/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Messages have the same words whatever library a program is linked with: src/musl/words.c. */
#pragma once
#include_next <string.h>

const char *words_of_errno(int number);
const char *strerrorname_np(int number);
const char *sigabbrev_np(int number);

#define strerror(number) words_of_errno(number)
