/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "storage/layer.h"

#include "base/fd.h"
#include "image/digest.h"

#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>

void layer_key(const char *diff_id, char ret[static LAYER_KEY_MAX])
{
	(void)snprintf(ret, LAYER_KEY_MAX, "%s", digest_hex(diff_id));
}

void layer_path(const char *key, char ret[static LAYER_PATH_MAX])
{
	(void)snprintf(ret, LAYER_PATH_MAX, "layers/%s", key);
}

int layer_open(const struct depot *d, const char *key, struct nook_error *e)
{
	char path[LAYER_PATH_MAX];

	layer_path(key, path);
	for (;;) {
		auto_close int fd = openat(d->fd, path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		struct stat opened, named;

		if (fd < 0)
			return errno == ENOENT ? -ENOENT : err_sys(e, STEP_IMAGE, path);
		while (flock(fd, LOCK_SH) < 0)
			if (errno != EINTR)
				return err_sys(e, STEP_LOCK, path);
		/* Who removes it moves it away under the exclusive lock. */
		if (fstat(fd, &opened) < 0 || fstatat(d->fd, path, &named, AT_SYMLINK_NOFOLLOW) < 0) {
			if (errno != ENOENT)
				return err_sys(e, STEP_IMAGE, path);
			continue;
		}
		if (opened.st_ino == named.st_ino)
			return take_fd(&fd);
	}
}

bool layer_exists(const struct depot *d, const char *key)
{
	char path[LAYER_PATH_MAX];

	layer_path(key, path);
	return faccessat(d->fd, path, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

int layer_publish(struct depot *d, const char *name, const char *key, const struct layer_facts *facts, struct nook_error *e)
{
	char path[LAYER_PATH_MAX];
	struct db *db = NULL;

	layer_path(key, path);
	TRY(depot_db(d, &db, e));
	TRY(db_run(db, e, "INSERT OR REPLACE INTO layer VALUES (?, ?, ?)", "sii", key, (int64_t)facts->bytes, (int64_t)facts->entries));
	if (renameat2(d->fd, name, d->fd, path, RENAME_NOREPLACE) == 0)
		return 0;
	if (errno != EEXIST)
		return err_sys(e, STEP_IMAGE, path);
	return tree_remove(d->fd, name, e);
}
