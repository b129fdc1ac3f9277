/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A few threads that work off a list in its order, while the caller shows progress.  The first failure ends all: it
 * cancels what HTTP is doing, and it is the one that is reported.
 */
#pragma once

#include "http/http.h"
#include "transfer/progress.h"

struct crew_work {
	size_t n;
	/* Does item I; WORKER counts the threads from 0. */
	int (*run)(void *context, size_t worker, size_t i, struct nook_error *e);
	void *context;
	size_t workers;
	struct http *http;
	struct progress *progress;
};

int crew_run(const struct crew_work *w, struct nook_error *e);
