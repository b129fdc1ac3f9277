/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Any bytes as an archive: nothing beside the target may appear or change.  Odd sizes are read as layers. */
#include "scratch.h"
#include "unpack/archive.h"

#include <dirent.h>
#include <string.h>
#include <sys/stat.h>

static void check_outside(int top, const struct stat *before)
{
	struct stat now;

	MUST(fstatat(top, "outside", &now, AT_SYMLINK_NOFOLLOW) == 0);
	MUST(now.st_ino == before->st_ino && now.st_mode == before->st_mode && now.st_nlink == before->st_nlink);
	MUST(now.st_mtim.tv_sec == before->st_mtim.tv_sec && now.st_mtim.tv_nsec == before->st_mtim.tv_nsec);
	MUST(now.st_ctim.tv_sec == before->st_ctim.tv_sec && now.st_ctim.tv_nsec == before->st_ctim.tv_nsec);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct stat outside;
	static int top = -1;
	struct writer_options o = writer_defaults;
	auto_close int input = scratch_file(data, size);
	struct nook_error e = NOOK_ERROR_INIT;

	if (top < 0) {
		top = scratch_make();
		MUST(mkdirat(top, "outside", 0700) == 0 && fstatat(top, "outside", &outside, 0) == 0);
		(void)umask(0);
	}
	o.owners = geteuid() == 0 ? WRITER_OWNERS_KEPT : WRITER_OWNERS_OURS;
	o.devices = WRITER_DEVICES_SKIPPED;
	o.layer = size % 2 ? WRITER_LAYER_USER : WRITER_LAYER_NONE;
	o.max_bytes = 1 << 20;
	o.max_entries = 200;
	MUST(mkdirat(top, "target", 0700) == 0);
	auto_close int target = openat(top, "target", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	AUTO(writer_free) struct writer *w = writer_new(target, &o);

	if (archive_unpack(input, w, &e) < 0)
		MUST(e.step == STEP_UNPACK && e.object[0]);
	check_outside(top, &outside);
	MUST(tree_remove(top, "target", NULL) == 0);
	return 0;
}
