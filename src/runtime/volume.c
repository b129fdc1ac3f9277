/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "runtime/volume.h"

#include "base/fd.h"
#include "base/names.h"
#include "base/text.h"
#include "disk/disk.h"
#include "json/bind.h"
#include "runtime/mounts.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>

#define ABOUT "volume.json"
#define NEW "new"
#define FILL_LOCK "fill"
enum { ABOUT_MAX = 1 << 20 };

static const struct bind about_table[] = {
	{AT(struct volume, name), BIND_STRING, "name", .flags = BIND_REQUIRED},
	{AT(struct volume, driver), BIND_STRING, "driver", .flags = BIND_REQUIRED},
	{AT(struct volume, fs), BIND_STRING, "fs"},
	{AT(struct volume, bytes), BIND_UINT, "bytes"},
	{AT(struct volume, created_ns), BIND_INT, "createdNs"},
	{AT(struct volume, anonymous), BIND_BOOL, "anonymous"},
	{LIST(struct volume, labels, n_labels), BIND_MAP, "labels"},
	{0},
};

static bool is_name(const char *text)
{
	return container_id_check(text, NULL) == 0;
}

static const char *path_of(const char *root, const char *name, struct arena *a)
{
	return arena_printf(a, "%s/volumes/%s", root, name);
}

/* ---- made and found ---------------------------------------------------------------------------------------------------- */

static int fill_draft(int dir, const char *path, const struct volume *v, struct arena *a, struct nook_error *e)
{
	struct disk_new disk = {.bytes = v->bytes};
	const char *image = arena_printf(a, "%s/disk.img", path);
	auto_close int new_mark = -EBADF;

	if (text_is(v->driver, "disk")) {
		disk.type = v->fs ? (enum fsimage_type)fsimage_find(v->fs) : FSIMAGE_EXT4;
		TRY(disk_create(image, &disk, e));
		if (geteuid() == 0)
			TRY(disk_clear(image, e));
	} else if (mkdirat(dir, "data", 0755) < 0 || fchmodat(dir, "data", 0755, 0) < 0) {
		return err_sys(e, STEP_STATE, path);
	}
	new_mark = openat(dir, NEW, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	if (new_mark < 0)
		return err_sys(e, STEP_STATE, path);
	return bind_save(dir, ABOUT, about_table, v, JSON_PLAIN, 0600, FILE_SYNC, e);
}

int volume_check(const struct volume *v, struct nook_error *e)
{
	bool is_disk = text_is(v->driver, "disk");
	int type = v->fs ? fsimage_find(v->fs) : FSIMAGE_EXT4;

	if (!is_disk && !text_is(v->driver, "dir"))
		return err_fmt(e, STEP_OPTION, v->name, EINVAL, "the driver \"%s\" is not dir or disk", v->driver);
	if (is_disk && !v->bytes)
		return err_why(e, STEP_OPTION, v->name, EINVAL, "a disk has a size, such as size=1G");
	if (!is_disk && (v->bytes || v->fs))
		return err_why(e, STEP_OPTION, v->name, EINVAL, "only the driver disk has a size and a file system");
	if (type < 0 || !fsimage_is_writable((enum fsimage_type)type))
		return err_fmt(e, STEP_OPTION, v->name, EINVAL, "\"%s\" is not ext4, xfs or btrfs", v->fs);
	return 0;
}

int volume_create(const char *root, const struct volume *v, struct arena *a, struct nook_error *e)
{
	const char *path = path_of(root, v->name, a), *draft = path_of(root, arena_printf(a, ".%s.%d", v->name, (int)getpid()), a);
	auto_close int volumes = -EBADF, dir = -EBADF;
	struct stat st;
	int r;

	TRY(container_id_check(v->name, e));
	TRY(volume_check(v, e));
	volumes = TRY(dir_make(arena_printf(a, "%s/volumes", root), 0700, e));
	if (fstatat(volumes, v->name, &st, AT_SYMLINK_NOFOLLOW) == 0)
		return err_why(e, STEP_STATE, v->name, EEXIST, "there is a volume of this name");
	TRY(mounts_tree_remove(draft, e)); /* of a process of this number that was killed */
	dir = TRY(dir_make(draft, 0700, e));
	close_fd(&dir);
	dir = dir_lock(draft, LOCK_SH);
	r = dir < 0 ? err_num(e, STEP_STATE, v->name, dir) : fill_draft(dir, draft, v, a, e);
	if (r >= 0 && renameat2(AT_FDCWD, draft, AT_FDCWD, path, RENAME_NOREPLACE) < 0)
		r = errno == EEXIST ? err_why(e, STEP_STATE, v->name, EEXIST, "there is a volume of this name")
		                    : err_sys(e, STEP_STATE, v->name);
	if (r < 0)
		(void)mounts_tree_remove(draft, NULL);
	return r;
}

int volume_load(const char *root, const char *name, struct arena *a, struct volume *ret, struct nook_error *e)
{
	const char *path = path_of(root, name, a);
	auto_close int dir = is_name(name) ? open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC) : -1;
	struct volume v = {0};

	if (dir < 0)
		return err_why(e, STEP_STATE, name, ENOENT, "there is no such volume");
	TRY(bind_load(dir, ABOUT, ABOUT_MAX, about_table, &v, a, STEP_STATE, e));
	if (!text_is(v.name, name) || (!text_is(v.driver, "dir") && !text_is(v.driver, "disk")))
		return err_why(e, STEP_STATE, name, EINVAL, "its description is damaged");
	v.source = arena_printf(a, "%s/%s", path, text_is(v.driver, "disk") ? "disk.img" : "data");
	*ret = v;
	return 0;
}

static int by_name(const void *one, const void *other)
{
	return strcmp(((const struct volume *)one)->name, ((const struct volume *)other)->name);
}

int volume_list(const char *root, struct arena *a, struct volume **ret, size_t *ret_n, struct nook_error *e)
{
	struct volume *list = NULL;
	const char **names;
	size_t n, count = 0;

	TRY(names_read(AT_FDCWD, arena_printf(a, "%s/volumes", root), a, &names, &n, e));
	for (size_t i = 0; i < n; i++) {
		struct volume v;

		if (names[i][0] != '.' && volume_load(root, names[i], a, &v, NULL) == 0)
			*arena_push(a, &list, &count) = v;
	}
	if (count)
		qsort(list, count, sizeof(*list), by_name);
	*ret = list;
	*ret_n = count;
	return 0;
}

/* ---- used and removed -------------------------------------------------------------------------------------------------- */

/* "web:/srv:ro" */
static bool names_volume(const struct container *c, const char *name)
{
	for (size_t i = 0; i < c->n_volumes; i++) {
		const char *rest = text_after(c->volumes[i], name);

		if (rest && *rest == ':')
			return true;
	}
	return false;
}

int volume_users(struct store_run *r, const char *name, struct arena *a, const char ***ret, size_t *ret_n, struct nook_error *e)
{
	struct container *list = NULL;
	const char **users = NULL;
	size_t n = 0, count = 0;

	TRY(container_list(r, a, &list, &n, e));
	for (size_t i = 0; i < n; i++)
		if (names_volume(&list[i], name))
			*arena_push(a, &users, &count) = list[i].id;
	*ret = users;
	*ret_n = count;
	return 0;
}

/* Out of sight first, so that one that is half removed is no volume. */
static int take_apart(const char *root, const char *name, struct arena *a, struct nook_error *e)
{
	const char *gone = path_of(root, arena_printf(a, ".%s.%d", name, (int)getpid()), a);

	if (renameat2(AT_FDCWD, path_of(root, name, a), AT_FDCWD, gone, RENAME_NOREPLACE) < 0)
		return err_sys(e, STEP_STATE, name);
	return mounts_tree_remove(gone, e);
}

int volume_remove(struct store_run *r, const char *root, const char *name, struct nook_error *e)
{
	AUTO(arena_free) struct arena *a = arena_new();
	auto_close int lock = -EBADF;
	const char **users;
	struct volume v;
	size_t n;

	TRY(volume_load(root, name, a, &v, e));
	lock = dir_lock(path_of(root, name, a), LOCK_EX | LOCK_NB);
	if (lock < 0 && lock != -EWOULDBLOCK)
		return err_num(e, STEP_STATE, name, lock);
	TRY(volume_users(r, name, a, &users, &n, e));
	if (n)
		return err_fmt(e, STEP_STATE, name, EBUSY, "container %s uses it%s", users[0], n > 1 ? ", and others do" : "");
	if (lock < 0)
		return err_why(e, STEP_STATE, name, EBUSY, "is in use");
	return take_apart(root, name, a, e);
}

int volume_drop_anonymous(struct store_run *r, const char *root, const struct container *c, struct nook_error *e)
{
	AUTO(arena_free) struct arena *a = arena_new();

	for (size_t i = 0; i < c->n_volumes; i++) {
		const char *name = arena_strndup(a, c->volumes[i], strcspn(c->volumes[i], ":"));
		struct volume v;
		int code;

		if (volume_load(root, name, a, &v, NULL) < 0 || !v.anonymous)
			continue;
		code = volume_remove(r, root, name, e);
		/* Another container has it, and will take it along. */
		if (code < 0 && code != -EBUSY && code != -ENOENT)
			return code;
	}
	return 0;
}

int volume_sweep(const char *root, struct nook_error *e)
{
	AUTO(arena_free) struct arena *a = arena_new();
	const char **names;
	size_t n;

	TRY(names_read(AT_FDCWD, arena_printf(a, "%s/volumes", root), a, &names, &n, e));
	for (size_t i = 0; i < n; i++) {
		const char *path = path_of(root, names[i], a);
		auto_close int lock = names[i][0] == '.' ? dir_lock(path, LOCK_EX | LOCK_NB) : -EBADF;

		/* Who still works on it holds its lock. */
		if (lock >= 0)
			TRY(mounts_tree_remove(path, e));
	}
	return 0;
}

/* ---- filled once ------------------------------------------------------------------------------------------------------- */

static bool is_new(int dir)
{
	return faccessat(dir, NEW, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

/* What a first container put in that was cut off while it did. */
static int empty_again(const struct volume *v, int dir, struct nook_error *e)
{
	if (text_is(v->driver, "disk"))
		return disk_clear(v->source, e);
	TRY(tree_remove(dir, "data", e));
	return mkdirat(dir, "data", 0755) < 0 || fchmodat(dir, "data", 0755, 0) < 0 ? err_sys(e, STEP_STATE, v->name) : 0;
}

int volume_use(const char *root, const struct volume *v, enum volume_fill fill, struct volume_use *ret, struct nook_error *e)
{
	AUTO(arena_free) struct arena *a = arena_new();
	AUTO_VALUE(volume_use_done) struct volume_use u = VOLUME_USE_INIT;

	u.lock = dir_lock(path_of(root, v->name, a), LOCK_SH | LOCK_NB);
	if (u.lock < 0)
		return err_why(e, STEP_STATE, v->name, u.lock == -EWOULDBLOCK ? EBUSY : ENOENT, "it is just being removed");
	if (is_new(u.lock)) {
		/* One fills, the others wait until it is full. */
		u.fill = TRY(file_lock(u.lock, FILL_LOCK, e));
		if (!is_new(u.lock)) {
			close_fd(&u.fill);
		} else if (fill == VOLUME_NO_COPY) {
			TRY(volume_filled(&u, e));
			close_fd(&u.fill);
		} else {
			TRY(empty_again(v, u.lock, e));
		}
	}
	ret->lock = take_fd(&u.lock);
	ret->fill = take_fd(&u.fill);
	return 0;
}

int volume_filled(const struct volume_use *u, struct nook_error *e)
{
	if (u->fill < 0 || unlinkat(u->lock, NEW, 0) == 0 || errno == ENOENT)
		return 0;
	return err_sys(e, STEP_STATE, NEW);
}

void volume_use_done(struct volume_use *u)
{
	close_fd(&u->fill);
	close_fd(&u->lock);
}
