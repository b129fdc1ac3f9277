/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "storage/blob.h"

#include "base/fd.h"
#include "image/digest.h"

#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>

void blob_path(const char *digest, char ret[static BLOB_PATH_MAX])
{
	(void)snprintf(ret, BLOB_PATH_MAX, "blobs/%s/%s", digest_names[digest_algorithm(digest)], digest_hex(digest));
}

int blob_open(const struct depot *d, const char *digest, uint64_t *ret_size, struct nook_error *e)
{
	char path[BLOB_PATH_MAX];

	blob_path(digest, path);
	for (;;) {
		auto_close int fd = openat(d->fd, path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
		struct stat st;

		if (fd < 0)
			return errno == ENOENT ? -ENOENT : err_sys(e, STEP_IMAGE, digest);
		while (flock(fd, LOCK_SH) < 0)
			if (errno != EINTR)
				return err_sys(e, STEP_LOCK, digest);
		if (fstat(fd, &st) < 0)
			return err_sys(e, STEP_IMAGE, digest);
		if (st.st_nlink == 0)
			continue; /* it was removed before it was locked */
		if (ret_size)
			*ret_size = (uint64_t)st.st_size;
		return take_fd(&fd);
	}
}

int blob_read(const struct depot *d, const char *digest, size_t limit, struct buf *b, struct nook_error *e)
{
	char path[BLOB_PATH_MAX];
	int r;

	blob_path(digest, path);
	r = file_read(d->fd, path, limit, b, NULL);
	if (r == -ENOENT)
		return err_why(e, STEP_IMAGE, digest, ENOENT, "the blob is missing from the store; `nook system check --repair` finds what needs it");
	return r < 0 ? err_num(e, STEP_IMAGE, digest, r) : 0;
}
