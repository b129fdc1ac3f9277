/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Input: a file with a file system in it, and maybe a note behind it, or something that looks like one.  The superblock at 64 KiB follows at 4 KiB, so
 * that inputs stay small. */
#include "scratch.h"
#include "disk/note.h"
#include "sys/fsimage.h"

#include <string.h>
#include <sys/mman.h>

enum { FIRST = 4096, FAR = 65536 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct nook_error e = NOOK_ERROR_INIT;
	AUTO(arena_free) struct arena *a = arena_new();
	const char *note = NULL;
	uint64_t bytes = 0;
	struct fsimage image;
	int fd = memfd_create("image", MFD_CLOEXEC);
	size_t first = size < FIRST ? size : FIRST;
	int r;

	MUST(fd >= 0 && pwrite(fd, data, first, 0) == (ssize_t)first);
	if (size > FIRST)
		MUST(pwrite(fd, data + FIRST, size - FIRST, FAR) == (ssize_t)(size - FIRST));
	r = fsimage_probe(fd, "image", &image, &e);
	if (r == 0) {
		MUST(image.type < FSIMAGE_TYPES && fsimage_find(fsimage_names[image.type]) == (int)image.type);
		MUST(strnlen(image.label, sizeof(image.label)) < sizeof(image.label));
	} else {
		MUST(r == -EINVAL && e.step == STEP_DISK && e.detail[0]);
	}
	r = note_find(fd, a, &note, &bytes, "image", &e);
	MUST(r != 1 || (strlen(note) <= size && bytes % FIRST == 0));
	MUST(r >= 0 || (r == -EINVAL && e.detail[0]));
	(void)close(fd);
	return 0;
}
