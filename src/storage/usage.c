/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "storage/usage.h"

#include "base/alloc.h"
#include "base/fd.h"

#include <fts.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/stat.h>

/* Inodes with several names that were counted. */
struct seen {
	ino_t *slots; /* 0: free */
	size_t n, room;
};

/* Notes INODE; false: it was there. */
static bool seen_add(struct seen *s, ino_t inode)
{
	size_t at;

	if (2 * s->n >= s->room) {
		struct seen larger = {.room = s->room ? 2 * s->room : 1024};

		larger.slots = xcalloc(larger.room, sizeof(ino_t));
		for (size_t i = 0; i < s->room; i++)
			if (s->slots[i])
				(void)seen_add(&larger, s->slots[i]);
		free(s->slots);
		*s = larger;
	}
	for (at = inode * 0x9e3779b97f4a7c15 >> 20 & (s->room - 1); s->slots[at]; at = (at + 1) & (s->room - 1))
		if (s->slots[at] == inode)
			return false;
	s->slots[at] = inode;
	s->n++;
	return true;
}

int usage_of(int dir, const char *name, uint64_t *ret, struct nook_error *e)
{
	auto_close int fd = openat(dir, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	struct seen seen = {0};
	uint64_t blocks = 0;
	char path[32];
	FTSENT *entry;
	FTS *walk;

	*ret = 0;
	if (fd < 0)
		return errno == ENOENT ? 0 : err_sys(e, STEP_IMAGE, name);
	(void)snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	walk = fts_open((char *const[]){path, NULL}, FTS_PHYSICAL | FTS_COMFOLLOW | FTS_XDEV, NULL);
	if (!walk)
		return err_sys(e, STEP_IMAGE, name);
	while ((entry = fts_read(walk))) {
		if (entry->fts_info == FTS_DP || entry->fts_info == FTS_NS || entry->fts_info == FTS_ERR)
			continue;
		if (!S_ISDIR(entry->fts_statp->st_mode) && entry->fts_statp->st_nlink > 1 && !seen_add(&seen, entry->fts_statp->st_ino))
			continue;
		blocks += (uint64_t)entry->fts_statp->st_blocks;
	}
	(void)fts_close(walk);
	free(seen.slots);
	*ret = blocks * 512;
	return 0;
}
