/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "runtime/upper.h"

#include "disk/disk.h"
#include "runtime/copied.h"
#include "runtime/data.h"
#include "runtime/plan_file.h"

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

static int open_copy(struct store_run *r, const struct container *c, struct arena *a, struct upper *u, struct nook_error *e)
{
	const char *path = copied_root(c);
	const struct plan *p = NULL;
	struct idrange range = {0};

	TRY(plan_load(r, c->id, a, &p, e));
	TRY(copied_range(c, p, a, &range, e));
	u->dir = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (u->dir < 0)
		return err_sys(e, STEP_CONTAINER, path);
	u->is_whole = true;
	u->owners = copied_owners(&range);
	return 0;
}

int upper_open(struct store_run *r, const struct container *c, struct arena *a, struct upper *ret, struct nook_error *e)
{
	const bool has_ended = container_status(c) == CONTAINER_STOPPED, is_copy = copied_is_changed(c);

	for (size_t i = 0; i < c->n_kept; i++) {
		AUTO_VALUE(upper_done) struct upper u = UPPER_INIT;
		int dir;

		/* A root of the container's own may have names like those in a layer. */
		if (!data_is(is_copy ? DATA_UNPACKED : DATA_LAYER, c->kept[i]))
			continue;
		if (has_ended) {
			u.lock = data_lock(c->kept[i], e);
			if (u.lock == -ENOENT)
				continue;
			TRY(u.lock);
		}
		if (is_copy) {
			TRY(open_copy(r, c, a, &u, e));
		} else {
			dir = open_in(c->kept[i], a, e);
			if (dir == -ENOENT)
				continue;
			u.dir = TRY(dir);
		}
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
