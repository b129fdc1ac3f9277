/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "runtime/upper.h"

#include "disk/disk.h"
#include "runtime/container.h"
#include "runtime/data.h"

#include <fcntl.h>

/* -ENOENT: this directory has none of both. */
static int open_in(const char *kept, struct arena *a, struct nook_error *e)
{
	auto_close int layer = open(kept, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC), dir = -EBADF;
	const char *disk = arena_printf(a, "%s/" DATA_DISK, kept);

	if (layer < 0)
		return -ENOENT;
	if (faccessat(layer, DATA_DISK, F_OK, AT_SYMLINK_NOFOLLOW) == 0) {
		auto_close int root = TRY(disk_mount_beside(disk, e));

		dir = openat(root, "upper", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		return dir < 0 ? err_sys(e, STEP_DISK, disk) : take_fd(&dir);
	}
	dir = openat(layer, "upper", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (dir < 0)
		return errno == ENOENT ? -ENOENT : err_sys(e, STEP_CONTAINER, kept);
	return take_fd(&dir);
}

int upper_open(const struct container *c, struct arena *a, struct upper *ret, struct nook_error *e)
{
	const bool has_ended = container_status(c) == CONTAINER_STOPPED;

	for (size_t i = 0; i < c->n_kept; i++) {
		AUTO_VALUE(upper_done) struct upper u = UPPER_INIT;
		int dir;

		if (has_ended) {
			u.lock = data_lock(c->kept[i], e);
			if (u.lock == -ENOENT)
				continue;
			TRY(u.lock);
		}
		dir = open_in(c->kept[i], a, e);
		if (dir == -ENOENT)
			continue;
		u.dir = TRY(dir);
		*ret = u;
		u = (struct upper)UPPER_INIT;
		return 0;
	}
	return err_why(e, STEP_CONTAINER, c->id, ENODATA,
		"it keeps no changes: that do containers of images that were started without --rm, and those with --storage dir or disk");
}

void upper_done(struct upper *u)
{
	close_fd(&u->dir);
	close_fd(&u->lock);
}
