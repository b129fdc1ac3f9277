/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Which host ids stand behind the ids of a container's user namespace.
 *
 * Root takes 65536 ids per container: from the entries of "nook" or "root" in /etc/subuid and /etc/subgid when both files
 * have them, else (or when those are used up) any free aligned range between 524288 and 1879048191, the ones that
 * systemd-nspawn uses too, that meets no other entry of those files and no id of /etc/passwd and /etc/group.  What is
 * taken is a symbolic link RUN/ids/BASE -> ../containers/ID, made in one atomic call; a link that dangles is stale, for
 * its container is gone, and may be taken over.  So RUN/containers/ID must exist before a range is taken for ID, and
 * must be removed after the range was released.
 *
 * Everybody else gets {0 -> own id} and behind it the ranges that /etc/subuid and /etc/subgid give, which only
 * newuidmap(1) and newgidmap(1) may set up; without ranges or without the programs {0 -> own id} alone.
 */
#pragma once

#include "base/alloc.h"
#include "base/error.h"
#include "spec/spec.h"

#include <stdbool.h>

enum { IDRANGE_SIZE = 65536 };

enum idrange_kind {
	IDRANGE_TAKEN,  /* root: 65536 ids of its own, noted in RUN/ids */
	IDRANGE_NESTED, /* root of a user namespace that has no 65536 spare ids: all that it has, one to one */
	IDRANGE_SUBID,  /* a user's subordinate ids */
	IDRANGE_SINGLE, /* a user's own id alone: setgroups must be denied before gid_map is written */
};

struct idrange {
	enum idrange_kind kind;
	uint32_t base; /* IDRANGE_TAKEN: the first host id, for idrange_release(); otherwise 0 */
	bool helper;   /* the maps must be written by newuidmap(1) and newgidmap(1) */
	struct spec_idmap *uid_maps, *gid_maps;
	size_t n_uid_maps, n_gid_maps;
};

/* Chooses for the caller's effective user.  RUN is a descriptor of the run directory (unused for an ordinary user), ID
 * the container's id; FIRST_USERNS: the caller is known to be in the initial user namespace, where all ids are mapped. */
int idrange_choose(int run, const char *id, bool first_userns, struct arena *a, struct idrange *ret, struct nook_error *e);
/* Root: takes BASE for container ID, whose files belong to it already; -EBUSY with a sentence when another one has it. */
int idrange_take_again(int run, const char *id, uint32_t base, struct arena *a, struct nook_error *e);
/* Gives BASE back if RUN/ids says that it belongs to ID; otherwise, and for base 0, does nothing. */
int idrange_release(int run, const char *id, uint32_t base, struct nook_error *e);
/* Is RUN/ids/BASE there although its container is gone?  The second takes it away then, and returns 1 when it did. */
bool idrange_is_stale(int run, uint32_t base);
int idrange_sweep(int run, uint32_t base, struct nook_error *e);

/* The parts of idrange_choose(), over any directory that holds subuid, subgid, passwd and group. */
struct idrange_files {
	int etc; /* directory descriptor; AT_FDCWD: /etc */
	const struct spec_idmap *uids, *gids; /* /proc/self/uid_map and gid_map, the container's view */
	size_t n_uids, n_gids;
};
/* 0, or 1 when no range can ever be taken here because none is mapped. */
int idrange_take(const struct idrange_files *f, int run, const char *id, struct arena *a, uint32_t *ret_base,
                 struct nook_error *e);
/* The maps of user UID with primary group GID; without entries, the single one. */
int idrange_subids(int etc, uint32_t uid, uint32_t gid, struct arena *a, struct idrange *ret, struct nook_error *e);
/* Reads lines of "inside outside count", as /proc/PID/uid_map has them. */
int idrange_read_map(int dir, const char *name, struct arena *a, struct spec_idmap **ret, size_t *ret_n,
                     struct nook_error *e);
