/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What is laid over a directory starts with the directory's content: a new volume, a tmpfs with "tmpcopyup".  Owners, modes,
 * times, attributes, holes and hard links are kept.  Bounded depth; memory comes from mmap(2) alone.
 */
#include "launch/apply_mount.h"

#include "base/fd.h"

#include <dirent.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/xattr.h>

enum { DEPTH_MAX = 64, ENTRIES_SIZE = 4096, ATTRIBUTES_MAX = 64 << 10, TABLE_FIRST = 64 << 10 };

struct entry { /* linux_dirent64, getdents(2) */
	uint64_t ino;
	int64_t off;
	uint16_t len;
	uint8_t type;
	char name[];
};

/* Memory that grows; zeroed. */
struct table {
	char *data;
	size_t used, room;
};

/* A file with several names, and where its first one lies. */
struct first_name {
	dev_t dev;
	ino_t ino;
	size_t path; /* in struct copy.paths */
};

struct copy {
	int top;              /* of what is made */
	char path[PATH_MAX];  /* of the directory that is being filled, from there: "" or "a/b/" */
	size_t path_len;
	struct table names, paths;
	char *names_list, *value; /* ATTRIBUTES_MAX each */
};

static int table_add(struct table *t, const void *data, size_t size)
{
	if (t->used + size > t->room) {
		size_t room = t->room ? 2 * t->room : TABLE_FIRST;
		void *more;

		while (t->used + size > room)
			room *= 2;
		more = t->room ? mremap(t->data, t->room, room, MREMAP_MAYMOVE)
			       : mmap(NULL, room, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		if (more == MAP_FAILED)
			return -errno;
		t->data = more;
		t->room = room;
	}
	memcpy(t->data + t->used, data, size);
	t->used += size;
	return 0;
}

static void table_done(struct table *t)
{
	if (t->room)
		(void)munmap(t->data, t->room);
}

static int copy_dir(struct copy *c, int from, int to, int depth);

/* ---- hard links ---------------------------------------------------------------------------------------------------- */

/* 1: NAME is made, as another name of what was copied before. */
static int link_again(const struct copy *c, const struct stat *st, int to, const char *name)
{
	const struct first_name *first = (const struct first_name *)(const void *)c->names.data;

	for (size_t i = 0; i < c->names.used / sizeof(*first); i++)
		if (first[i].ino == st->st_ino && first[i].dev == st->st_dev)
			return linkat(c->top, c->paths.data + first[i].path, to, name, 0) < 0 ? -errno : 1;
	return 0;
}

static int note_name(struct copy *c, const struct stat *st, const char *name)
{
	const struct first_name first = {.dev = st->st_dev, .ino = st->st_ino, .path = c->paths.used};
	int r = table_add(&c->paths, c->path, c->path_len);

	if (r == 0)
		r = table_add(&c->paths, name, strlen(name) + 1);
	return r < 0 ? r : table_add(&c->names, &first, sizeof(first));
}

/* ---- one of each kind ------------------------------------------------------------------------------------------------ */

/* What this file system or this user cannot have is left out, as cp(1) does it. */
static int copy_attributes(const struct copy *c, int in, int out)
{
	ssize_t len = flistxattr(in, c->names_list, ATTRIBUTES_MAX);

	for (const char *name = c->names_list; len > 0 && name < c->names_list + len; name += strlen(name) + 1) {
		ssize_t n = fgetxattr(in, name, c->value, ATTRIBUTES_MAX);

		if (n >= 0 && fsetxattr(out, name, c->value, (size_t)n, 0) < 0 && errno == ENOSPC)
			return -errno;
	}
	return 0;
}

static int copy_owner(int at, const char *name, const struct stat *st)
{
	if (fchownat(at, name, st->st_uid, st->st_gid, AT_SYMLINK_NOFOLLOW) < 0)
		return -errno;
	/* After chown(2), which clears set-id bits. */
	if (!S_ISLNK(st->st_mode) && fchmodat(at, name, st->st_mode & 07777, 0) < 0)
		return -errno;
	return 0;
}

static int copy_times(int at, const char *name, const struct stat *st)
{
	const struct timespec times[2] = {st->st_atim, st->st_mtim};

	return utimensat(at, name, times, AT_SYMLINK_NOFOLLOW) < 0 ? -errno : 0;
}

static int copy_range(int in, int out, off_t from, off_t to)
{
	if (lseek(out, from, SEEK_SET) < 0)
		return -errno;
	while (from < to) {
		ssize_t n = sendfile(out, in, &from, to - from > 0x7ffff000 ? 0x7ffff000 : (size_t)(to - from));

		if (n < 0)
			return -errno;
		if (n == 0)
			break;
	}
	return 0;
}

/* Holes are not read and not filled. */
static int copy_data(int in, int out, off_t size)
{
	off_t at = 0;

	while (at < size) {
		off_t data = lseek(in, at, SEEK_DATA), hole;
		int r;

		if (data < 0 && errno == ENXIO)
			break;
		/* A file system that cannot tell has no holes. */
		if (data < 0)
			data = at;
		hole = lseek(in, data, SEEK_HOLE);
		if (hole < 0 || hole > size)
			hole = size;
		r = copy_range(in, out, data, hole);
		if (r < 0)
			return r;
		at = hole;
	}
	return ftruncate(out, size) < 0 ? -errno : 0;
}

static int copy_file(struct copy *c, int from, int to, const char *name, const struct stat *st)
{
	auto_close int in = openat(from, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	auto_close int out = in < 0 ? -EBADF : openat(to, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	int r;

	if (out < 0)
		return -errno;
	r = copy_data(in, out, st->st_size);
	if (r == 0)
		r = copy_owner(to, name, st);
	/* After chown(2) and chmod(2), of which one takes capabilities away and the other changes an access list. */
	return r < 0 ? r : copy_attributes(c, in, out);
}

static int copy_link_text(int from, int to, const char *name)
{
	char text[PATH_MAX];
	ssize_t n = readlinkat(from, name, text, sizeof(text) - 1);

	if (n < 0)
		return -errno;
	text[n] = 0;
	return symlinkat(text, to, name) < 0 ? -errno : 0;
}

static int copy_inside(struct copy *c, int in, int out, const char *name, int depth)
{
	const size_t before = c->path_len, len = strlen(name);
	int r;

	if (before + len + 2 > sizeof(c->path))
		return -ENAMETOOLONG;
	memcpy(c->path + before, name, len);
	c->path[before + len] = '/';
	c->path_len = before + len + 1;
	r = copy_dir(c, in, out, depth + 1);
	c->path_len = before;
	return r;
}

static int copy_sub(struct copy *c, int from, int to, const char *name, const struct stat *st, int depth)
{
	auto_close int in = openat(from, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	auto_close int out = -EBADF;
	int r;

	if (in < 0 || mkdirat(to, name, 0700) < 0)
		return -errno;
	out = openat(to, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (out < 0)
		return -errno;
	r = copy_inside(c, in, out, name, depth);
	if (r == 0)
		r = copy_owner(to, name, st);
	return r < 0 ? r : copy_attributes(c, in, out);
}

static int copy_other(int from, int to, const char *name, const struct stat *st)
{
	int r = S_ISLNK(st->st_mode) ? copy_link_text(from, to, name) : mknodat(to, name, st->st_mode, st->st_rdev) < 0 ? -errno : 0;

	return r < 0 ? r : copy_owner(to, name, st);
}

static int copy_entry(struct copy *c, int from, int to, const char *name, int depth)
{
	struct stat st;
	int r = 0;

	if (fstatat(from, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return -errno;
	if (!S_ISDIR(st.st_mode) && st.st_nlink > 1)
		r = link_again(c, &st, to, name);
	if (r)
		return r < 0 ? r : 0;
	if (S_ISDIR(st.st_mode))
		r = copy_sub(c, from, to, name, &st, depth);
	else if (S_ISREG(st.st_mode))
		r = copy_file(c, from, to, name, &st);
	else
		r = copy_other(from, to, name, &st);
	if (r == 0 && !S_ISDIR(st.st_mode) && st.st_nlink > 1)
		r = note_name(c, &st, name);
	return r < 0 ? r : copy_times(to, name, &st);
}

static int copy_dir(struct copy *c, int from, int to, int depth)
{
	_Alignas(struct entry) char entries[ENTRIES_SIZE];

	if (depth > DEPTH_MAX)
		return -ELOOP;
	for (;;) {
		long n = syscall(SYS_getdents64, from, entries, sizeof(entries));

		if (n <= 0)
			return n < 0 ? -errno : 0;
		for (long at = 0; at < n;) {
			const struct entry *d = (const struct entry *)(entries + at);

			at += d->len;
			if (!strcmp(d->name, ".") || !strcmp(d->name, ".."))
				continue;
			int r = copy_entry(c, from, to, d->name, depth);

			if (r < 0)
				return r;
		}
	}
}

static int copy_all(int in, int out, const struct stat *st)
{
	void *room = mmap(NULL, 2 * ATTRIBUTES_MAX, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct copy c = {.top = out, .names_list = room, .value = (char *)room + ATTRIBUTES_MAX};
	int r;

	if (room == MAP_FAILED)
		return -errno;
	r = copy_dir(&c, in, out, 0);
	if (r == 0)
		r = copy_owner(out, ".", st);
	if (r == 0)
		r = copy_attributes(&c, in, out);
	if (r == 0)
		r = copy_times(out, ".", st);
	table_done(&c.names);
	table_done(&c.paths);
	(void)munmap(room, 2 * ATTRIBUTES_MAX);
	return r;
}

int copy_up(int from, int to, const char *target, struct nook_error *e)
{
	auto_close int in = openat(from, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	auto_close int out = openat(to, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct stat st;
	int r;

	if (in < 0 || out < 0 || fstat(in, &st) < 0)
		return err_sys(e, STEP_MOUNT, target);
	r = copy_all(in, out, &st);
	if (r < 0) {
		(void)err_num(e, STEP_MOUNT, target, r);
		err_detail(e, "copying its content up");
	}
	return r;
}
