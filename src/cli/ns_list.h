/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The namespaces of the system: those that a process the caller may look at is in, those that a mount pins, and the
 * user namespaces that own them. */
#pragma once

#include "base/alloc.h"
#include "base/error.h"
#include "sys/ns.h"

#include <stdbool.h>

struct ns_entry {
	const struct ns_type *type;
	uint64_t inode;
	size_t members;        /* processes (not threads) in it */
	pid_t pid;             /* the lowest of them; 0: none */
	bool owned;            /* the owner is within our view */
	uint64_t owner;        /* inode of the user namespace that owns it */
	bool has_owner_uid;
	uid_t owner_uid;       /* who made that user namespace; of one of type user: who made itself */
	const char **pins;     /* mount points that hold it */
	size_t n_pins;
};

struct ns_list {
	struct ns_entry *items; /* ordered by type and inode */
	size_t n;
};

/* PROC is a descriptor of /proc, or of a directory like it. */
int ns_list_read(struct arena *a, int proc, struct ns_list *ret, struct nook_error *e);
/* NULL when it is not in the list. */
struct ns_entry *ns_list_find(const struct ns_list *l, const struct ns_type *type, uint64_t inode);
