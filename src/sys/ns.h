/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Namespaces as the kernel shows them: nsfs files, their type, their owner. */
#pragma once

#include "base/cleanup.h"
#include "base/error.h"

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct ns_type {
	int flag;         /* CLONE_NEW* */
	const char *name; /* in /proc/PID/ns, of the one that the process is in */
	const char *next; /* in /proc/PID/ns, of the one that its children will be in */
};
enum { NS_TYPES = 8 };
extern const struct ns_type ns_types[NS_TYPES]; /* user first: it owns what is made or joined together with it */

/* NAME need not end after LEN bytes. */
const struct ns_type *ns_type_by_name(const char *name, size_t len);
const struct ns_type *ns_type_by_flag(int flag);

/* Reads "net:[4026531840]", what readlink(2) says of /proc/PID/ns/net: 0 or -EINVAL (nothing recorded). */
int ns_parse_link(const char *text, const struct ns_type **ret_type, uint64_t *ret_inode);

/* Opens the nsfs file DIR/NAME, which may be anything: what is no namespace is refused, a FIFO does not block. */
int ns_open(int dir, const char *name, struct nook_error *e);
/* CLONE_NEW* of a descriptor from ns_open(), or -errno. */
int ns_flag(int fd);
/* The user namespace that owns FD (for one of type user: its parent): a descriptor, or -EPERM when it lies outside of
 * the caller's view.  Nothing is recorded. */
int ns_owner(int fd);
/* 1: the caller is in the machine's first user namespace, where ids are what they seem; 0: in another one. */
int ns_is_first_user(struct nook_error *e);
/* The uid that made the user namespace FD. */
int ns_owner_uid(int fd, uid_t *ret);
