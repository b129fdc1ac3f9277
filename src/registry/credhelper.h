/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Programs that keep credentials: docker-credential-NAME with get, store and erase. */
#pragma once

#include "base/buf.h"
#include "registry/credentials.h"

struct credhelper {
	const char *name;
	const struct credhelper_host *host; /* NULL: it is a child of the caller */
};

/* 0, or 1 when the helper knows none for SERVER. */
int credhelper_get(const struct credhelper *h, const char *server, struct arena *a, struct credentials *ret, struct nook_error *e);
int credhelper_store(const struct credhelper *h, const char *server, const struct credentials *c, struct nook_error *e);
/* 0, or 1 when there was nothing. */
int credhelper_erase(const struct credhelper *h, const char *server, struct nook_error *e);

/* Runs docker-credential-NAME as a child, with INPUT as its stdin: its exit status; OUT gets its stdout, which has at most
 * CREDHELPER_ANSWER_MAX bytes (-EFBIG).  -ETIMEDOUT when it does not end. */
enum { CREDHELPER_ANSWER_MAX = 64 << 10 };
int credhelper_spawn(const char *name, const char *verb, const char *input, struct buf *out, struct nook_error *e);
