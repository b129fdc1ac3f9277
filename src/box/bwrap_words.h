/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* bubblewrap's options while they are read: what has been said so far, and the values of options. */
#pragma once

#include "box/bwrap.h"
#include "spec/spec.h"

enum { BWRAP_DATA_MAX = 64 << 20, BWRAP_NO_MODE = -1 };


struct bwrap_words {
	struct bwrap *b;
	struct spec *spec;
	struct arena *arena;
	int n_args;
	bool in_file;               /* --args in --args */
	int mode;                   /* of --perms, for the next option, or BWRAP_NO_MODE */
	uint64_t bytes;             /* of --size */
	const char **sources;       /* of --overlay-src, topmost last */
	size_t n_sources;
	unsigned unshare, unshare_try; /* bits of enum ns_kind */
	bool unshare_all, share_net, as_pid_1, new_session, has_seccomp, has_seccomp_list, disable_userns, assert_disabled, cap_options;
	int userns, userns2, pidns; /* -EBADF: not given */
	struct opt_u64 uid, gid;
	const char *chdir, *argv0, *hostname;
	uint64_t caps;
	const char **env;           /* NULL-terminated */
	size_t n_env;
	const char *home;           /* $HOME as the options leave it, or NULL */
	const char **locks;
	size_t n_locks;
	const char **covered;       /* what is read-only of each --proc */
	size_t n_covered;
};

/* -EINVAL, with WHY as the clause behind OPTION. */
int bwrap_refuse(const char *option, const char *why, struct nook_error *e);
int bwrap_number(const char *option, const char *text, uint64_t max, uint64_t *ret, struct nook_error *e);
/* A descriptor of the caller's, which is not the command's from now on. */
int bwrap_descriptor(struct bwrap_words *p, const char *option, const char *text, struct nook_error *e);
/* What can be read from such a descriptor, at most MAX bytes, with a zero byte behind it. */
int bwrap_read_fd(struct bwrap_words *p, const char *option, const char *text, size_t max, const char **ret, size_t *ret_len,
	struct nook_error *e);

/* Applies an option that makes something in the tree (bwrap_tree.c); 1: OPTION is none of those. */
int bwrap_tree(struct bwrap_words *p, enum bwrap_option option, char **arg, struct nook_error *e);
/* A target in the tree, which starts with a slash. */
const char *bwrap_target(struct bwrap_words *p, const char *dest);
/* When all words are read: judges them together and completes the spec for the command ARGV (bwrap_compile.c). */
int bwrap_settle(struct bwrap_words *p, int argc, char **argv, struct nook_error *e);
