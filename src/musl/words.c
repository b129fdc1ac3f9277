/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <stddef.h>
#include <string.h>

#include "musl/words_table.h"

#define OF(table, i) ((size_t)(i) < sizeof(table) / sizeof((table)[0]) ? (table)[i] : NULL)

const char *words_of_errno(int number)
{
	const char *words = OF(error_words, number);

	return words ? words : "Unknown error";
}

const char *strerrorname_np(int number)
{
	return OF(error_names, number);
}

const char *sigabbrev_np(int number)
{
	return OF(signal_names, number);
}
