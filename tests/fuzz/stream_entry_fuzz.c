/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Input: a tar stream.  Its comment is looked for, its entries are read and their data is skipped; what is written again reads the same. */
#include "scratch.h"
#include "stream/header.h"

#include <string.h>
#include <sys/mman.h>

static void same_again(const struct entry *entry)
{
	struct nook_error e = NOOK_ERROR_INIT;
	struct entry *again = calloc(1, sizeof(*again));
	int fd = memfd_create("again", MFD_CLOEXEC);

	MUST(again && fd >= 0 && entry_write(fd, entry, &e) == 0 && lseek(fd, 0, SEEK_SET) == 0);
	MUST(entry_read(fd, again, &e) == 1);
	MUST(strcmp(again->name, entry->name) == 0 && strcmp(again->link, entry->link) == 0);
	MUST(again->mode == entry->mode && again->size == entry->size && again->uid == entry->uid && again->gid == entry->gid);
	MUST(again->mtime.tv_sec == entry->mtime.tv_sec && again->mtime.tv_nsec == entry->mtime.tv_nsec);
	MUST(again->xattrs.len == entry->xattrs.len);
	entry_done(again);
	free(again);
	(void)close(fd);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct nook_error e = NOOK_ERROR_INIT;
	struct entry *entry = calloc(1, sizeof(*entry));
	int fd = memfd_create("stream", MFD_CLOEXEC), r;

	AUTO_VALUE(buf_done) struct buf comment = {0};

	MUST(entry && fd >= 0 && pwrite(fd, data, size, 0) == (ssize_t)size);
	MUST(entry_find_comment(fd, &comment) == 0 || comment.len < size);
	while ((r = entry_read(fd, entry, &e)) > 0) {
		MUST(entry->name[0] && strnlen(entry->link, sizeof(entry->link)) < sizeof(entry->link));
		MUST(entry->xattrs.len <= XATTRS_MAX + 65536);
		same_again(entry);
		if (entry->size > size || lseek(fd, (off_t)entry_padded(entry->size), SEEK_CUR) < 0)
			break;
	}
	MUST(r >= 0 || e.step == STEP_UNPACK || e.step == STEP_FILE);
	entry_done(entry);
	free(entry);
	(void)close(fd);
	return 0;
}
