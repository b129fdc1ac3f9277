/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * nook.h - Linux containers and sandboxes as a library.  C11 and C++17 clean.
 *
 * Every function that can fail returns 0 (or a count, or a descriptor) or a negative errno value and takes an
 * error record that the caller owns; NULL is allowed.  The record means something only when the result is negative.
 * The library keeps no global state, takes no signals, prints nothing and never exits.
 */
#ifndef NOOK_H
#define NOOK_H

#include <stdint.h>
#include <sys/types.h>

#ifdef __cplusplus
extern "C" {
#endif

#define NOOK_OBJECT_MAX 256
#define NOOK_DETAIL_MAX 256

/* What failed.  Fixed size, nothing to free; later versions only append (size tells how much is valid). */
struct nook_error {
	uint32_t size;                /* sizeof(struct nook_error), set by NOOK_ERROR_INIT */
	int32_t step;                 /* what was being done: nook_step_name() gives a stable word */
	int32_t sys_errno;            /* errno(3) of the cause, 0 if it was not a system call */
	int32_t rule;                 /* 1-based number of the rule or plan step that failed, 0 if none */
	char object[NOOK_OBJECT_MAX]; /* to what: a path, an option, a namespace */
	char detail[NOOK_DETAIL_MAX]; /* one clause more, such as the kernel's own words; "" if none */
};

#define NOOK_ERROR_INIT {sizeof(struct nook_error), 0, 0, 0, "", ""}

/* "mount", "uid map", ...: stable words, for messages, logs and JSON.  Never NULL. */
const char *nook_step_name(int step);

/* Advice for this failure on this machine, or NULL: a static string. */
const char *nook_error_hint(const struct nook_error *e);

/* Writes "mount \"/proc\": detail: Invalid argument" to BUF (always terminated); returns the full length. */
int nook_error_text(const struct nook_error *e, char *buf, size_t size);

/* The library's version as (major << 16 | minor << 8 | patch). */
uint32_t nook_version(void);

#ifdef __cplusplus
}
#endif
#endif
