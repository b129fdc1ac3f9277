/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Capabilities: sets are masks of 1 << CAP_*, names are spelt "CAP_CHOWN" when written and read in any usual way. */
#pragma once

#include "base/error.h"
#include "spec/spec_defaults.h"

#include <linux/capability.h>
#include <stdint.h>

#define CAPS_BIT(cap) (UINT64_C(1) << (cap))

/* Every capability that this nook knows. */
#define CAPS_ALL (CAPS_BIT(CAP_CHECKPOINT_RESTORE + 1) - 1)

#define CAPS_DEFAULT SPEC_DEFAULT_CAPS

/* "CAP_CHOWN" for 0, or NULL. */
const char *caps_name(unsigned cap);
/* The number of "CAP_CHOWN", "cap_chown" or "chown", or -1. */
int caps_find(const char *name);
/* The same as a mask, and "ALL": 0 or -EINVAL. */
int caps_parse(const char *name, uint64_t *ret);

/* Applies --cap-add and --cap-drop (NULL-terminated lists, or NULL) to *SET as docker does: a name given to both is
 * kept; "drop ALL, add X" leaves X; "add ALL, drop X" leaves all but X.  ALL in both lists is an error. */
int caps_adjust(uint64_t *set, const char *const *add, const char *const *drop, struct nook_error *e);

/* The calling thread's own sets: what can at most be given to a container. */
struct caps_own {
	uint64_t inheritable, permitted, effective, bounding, ambient;
};
int caps_own_load(struct caps_own *ret, struct nook_error *e);
