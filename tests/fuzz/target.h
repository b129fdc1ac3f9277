/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A directory to unpack into, and another one beside it that has to stay as it is. */
#pragma once

#include "scratch.h"
#include "unpack/writer.h"

#include <sys/stat.h>

struct target {
	int top;
	struct stat outside; /* as it was */
};

/* Made at the first call. */
static inline const struct target *target_beside(void)
{
	static struct target t = {.top = -1};

	if (t.top < 0) {
		t.top = scratch_make();
		MUST(mkdirat(t.top, "outside", 0700) == 0 && fstatat(t.top, "outside", &t.outside, 0) == 0);
		(void)umask(0);
	}
	return &t;
}

/* The empty directory, open. */
static inline int target_make(const struct target *t)
{
	MUST(mkdirat(t->top, "target", 0700) == 0);
	return openat(t->top, "target", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

/* What a writer may do there: little, so that a run is short. */
static inline struct writer_options target_options(enum writer_layer layer)
{
	struct writer_options o = writer_defaults;

	o.owners = geteuid() == 0 ? WRITER_OWNERS_KEPT : WRITER_OWNERS_OURS;
	o.devices = WRITER_DEVICES_SKIPPED;
	o.layer = layer;
	o.max_bytes = 1 << 20;
	o.max_entries = 200;
	return o;
}

/* The end: what is beside it was not touched, and it goes. */
static inline void target_end(const struct target *t)
{
	const struct stat *before = &t->outside;
	struct stat now;

	MUST(fstatat(t->top, "outside", &now, AT_SYMLINK_NOFOLLOW) == 0);
	MUST(now.st_ino == before->st_ino && now.st_mode == before->st_mode && now.st_nlink == before->st_nlink);
	MUST(now.st_mtim.tv_sec == before->st_mtim.tv_sec && now.st_mtim.tv_nsec == before->st_mtim.tv_nsec);
	MUST(now.st_ctim.tv_sec == before->st_ctim.tv_sec && now.st_ctim.tv_nsec == before->st_ctim.tv_nsec);
	MUST(tree_remove(t->top, "target", NULL) == 0);
}
