/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Any bytes as the blob of a layer, compressed or not: nothing beside the target may appear or change. */
#include "archive/inflate.h"
#include "scratch.h"
#include "unpack/archive.h"

#include <string.h>
#include <sys/stat.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct stat outside;
	static int top = -1;
	struct stat now;
	struct writer_options o = writer_defaults;
	auto_close int input = scratch_file(data, size);
	AUTO(inflate_free) struct inflate *layer = inflate_new(input, -1, DIGEST_SHA256);
	struct nook_error e = NOOK_ERROR_INIT;
	char digest[DIGEST_TEXT_MAX];

	if (top < 0) {
		top = scratch_make();
		MUST(mkdirat(top, "outside", 0700) == 0 && fstatat(top, "outside", &outside, 0) == 0);
		(void)umask(0);
	}
	o.owners = geteuid() == 0 ? WRITER_OWNERS_KEPT : WRITER_OWNERS_OURS;
	o.devices = WRITER_DEVICES_SKIPPED;
	o.layer = WRITER_LAYER_USER;
	o.links_skipped = size % 2;
	o.max_bytes = 1 << 20;
	o.max_entries = 200;
	MUST(mkdirat(top, "target", 0700) == 0);
	auto_close int target = openat(top, "target", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	AUTO(writer_free) struct writer *w = writer_new(target, &o);

	if (archive_unpack_layer(layer, w, &e) < 0)
		MUST(e.step == STEP_UNPACK && e.object[0]);
	else
		inflate_digest(layer, digest);
	MUST(fstatat(top, "outside", &now, AT_SYMLINK_NOFOLLOW) == 0);
	MUST(now.st_nlink == outside.st_nlink && now.st_ctim.tv_nsec == outside.st_ctim.tv_nsec && now.st_mode == outside.st_mode);
	MUST(tree_remove(top, "target", NULL) == 0);
	return 0;
}
