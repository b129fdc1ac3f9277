/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Platforms: os/architecture[/variant], and which of several manifests is for one. */
#pragma once

#include "base/alloc.h"
#include "base/buf.h"
#include "base/error.h"

#include <stdbool.h>

struct platform {
	const char *architecture, *os, *variant; /* NULL when absent */
	const char *os_version;
	const char *const *os_features;          /* NULL-terminated or NULL */
};

/* This machine's. */
void platform_host(struct platform *ret);
/* "linux/arm64/v8", "arm64", "linux/arm": strings are A's; names such as x86_64 and aarch64 become Go's.
 * An architecture alone has to be a known one. */
int platform_parse(const char *text, struct arena *a, struct platform *ret, struct nook_error *e);
/* How well what is offered suits WANTED: 0 not at all, otherwise the larger the better (an arm v7 also runs v6). */
int platform_score(const struct platform *wanted, const struct platform *offered);
/* "unknown/unknown": attestations beside the images of an index. */
bool platform_is_unknown(const struct platform *p);
/* "linux/arm64/v8". */
const char *platform_text(const struct platform *p, struct arena *a);
