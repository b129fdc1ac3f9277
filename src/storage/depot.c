/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "storage/depot.h"

#include "base/fd.h"
#include "base/names.h"

#include <stdio.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <time.h>

enum { SCHEMA_VERSION = 1 };

static const char schema[] =
	"CREATE TABLE image(digest TEXT PRIMARY KEY, config TEXT NOT NULL, platform TEXT NOT NULL, created INTEGER NOT NULL,"
	" added INTEGER NOT NULL, bytes INTEGER NOT NULL, blob_bytes INTEGER NOT NULL) WITHOUT ROWID;"
	"CREATE TABLE name(name TEXT PRIMARY KEY, digest TEXT NOT NULL, target TEXT NOT NULL) WITHOUT ROWID;"
	"CREATE INDEX name_digest ON name(digest);"
	"CREATE TABLE layer(key TEXT PRIMARY KEY, bytes INTEGER NOT NULL, entries INTEGER NOT NULL) WITHOUT ROWID;"
	/* What an image needs, in order: nth 0 is the bottom layer; its config and manifest are in the row of the image. */
	"CREATE TABLE part(digest TEXT NOT NULL, nth INTEGER NOT NULL, layer TEXT NOT NULL, blob TEXT NOT NULL,"
	" PRIMARY KEY(digest, nth)) WITHOUT ROWID;"
	"CREATE INDEX part_layer ON part(layer);"
	"CREATE INDEX part_blob ON part(blob);";

static const char *const folders[] = {"blobs/sha256", "blobs/sha512", "layers", "ingest"};

static int make_folders(const char *root, struct nook_error *e)
{
	for (size_t i = 0; i < sizeof(folders) / sizeof(folders[0]); i++) {
		auto_free char *path = xasprintf("%s/%s", root, folders[i]);
		auto_close int fd = dir_make(path, 0700, NULL);

		if (fd < 0)
			return err_num(e, STEP_IMAGE, path, fd);
	}
	return 0;
}

int depot_open(const char *root, enum depot_mode mode, struct arena *a, struct depot **ret, struct nook_error *e)
{
	const char *path = arena_printf(a, "%s/images", root);
	AUTO(depot_close) struct depot *d = NULL;
	int fd;

	if (mode == DEPOT_WRITE)
		TRY(make_folders(path, e));
	fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0 && errno == ENOENT) {
		*ret = NULL;
		return 1;
	}
	if (fd < 0)
		return err_sys(e, STEP_IMAGE, path);
	/* Without a database nothing is in it, and who only looks makes none. */
	if (mode == DEPOT_READ && faccessat(fd, "depot.db", F_OK, 0) < 0) {
		(void)close(fd);
		*ret = NULL;
		return 1;
	}
	d = arena_new_of(a, struct depot);
	d->root = path;
	d->fd = fd;
	d->arena = a;
	if (mode == DEPOT_WRITE)
		TRY(depot_sweep(d, PARTIAL_SECONDS, e));
	*ret = take_ptr(&d);
	return 0;
}

void depot_close(struct depot *d)
{
	if (!d)
		return;
	for (size_t i = 0; i < d->n_held; i++)
		close_fd(&d->held[i]);
	d->n_held = 0;
	depot_db_close(d);
	close_fd(&d->fd);
}

void depot_hold(struct depot *d, int fd)
{
	*arena_push(d->arena, &d->held, &d->n_held) = fd;
}

int depot_db(struct depot *d, struct db **ret, struct nook_error *e)
{
	if (!d->db) {
		const char *path = arena_printf(d->arena, "%s/depot.db", d->root);
		auto_close int lock = -EBADF;

		/* Two who make it at once would be in each other's way. */
		if (faccessat(d->fd, "depot.db", F_OK, 0) < 0)
			lock = TRY(file_lock(d->fd, "depot.lock", e));
		TRY(db_open(path, SCHEMA_VERSION, schema, &d->db, e));
	}
	*ret = d->db;
	return 0;
}

void depot_db_close(struct depot *d)
{
	db_close(take_ptr(&d->db));
}

/* ---- ingest ---------------------------------------------------------------------------------------------------------- */

static void new_name(const char *kind, char name[static INGEST_NAME_MAX])
{
	uint64_t number = 0;

	if (getrandom(&number, sizeof(number), 0) != sizeof(number))
		number = (uint64_t)getpid();
	(void)snprintf(name, INGEST_NAME_MAX, "ingest/%s-%016llx", kind, (unsigned long long)number);
}

int ingest_dir(struct depot *d, const char *kind, char name[static INGEST_NAME_MAX], struct nook_error *e)
{
	for (;;) {
		new_name(kind, name);
		if (mkdirat(d->fd, name, 0700) < 0) {
			if (errno == EEXIST)
				continue;
			return err_sys(e, STEP_IMAGE, name);
		}
		auto_close int fd = openat(d->fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		struct stat st;

		/* A sweep may have come between and taken it for a left-over: then another one. */
		if (fd < 0 && errno == ENOENT)
			continue;
		if (fd < 0)
			return err_sys(e, STEP_IMAGE, name);
		if (flock(fd, LOCK_SH | LOCK_NB) < 0)
			continue;
		if (fstat(fd, &st) < 0)
			return err_sys(e, STEP_IMAGE, name);
		if (st.st_nlink > 0)
			return take_fd(&fd);
	}
}

int ingest_discard(struct depot *d, const char *path, struct nook_error *e)
{
	char name[INGEST_NAME_MAX];

	new_name("removed", name);
	if (renameat(d->fd, path, d->fd, name) < 0)
		return errno == ENOENT ? 0 : err_sys(e, STEP_IMAGE, path);
	return tree_remove(d->fd, name, e);
}

/* Is NAME of ingest/ in nobody's use and old enough?  A descriptor with the exclusive lock, or -EBUSY. */
static int lock_leftover(struct depot *d, const char *name, int64_t partial_seconds)
{
	auto_close int fd = openat(d->fd, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	struct stat st;
	struct timespec now;

	if (fd < 0 || fstat(fd, &st) < 0)
		return -EBUSY;
	(void)clock_gettime(CLOCK_REALTIME, &now);
	if (S_ISREG(st.st_mode) && now.tv_sec - st.st_mtim.tv_sec < partial_seconds)
		return -EBUSY;
	return flock(fd, LOCK_EX | LOCK_NB) < 0 ? -EBUSY : take_fd(&fd);
}

int depot_sweep(struct depot *d, int64_t partial_seconds, struct nook_error *e)
{
	AUTO(arena_free) struct arena *a = arena_new();
	const char **names = NULL;
	size_t n = 0;
	int removed = 0;

	TRY(names_read(d->fd, "ingest", a, &names, &n, e));
	for (size_t i = 0; i < n; i++) {
		const char *name = arena_printf(a, "ingest/%s", names[i]);
		auto_close int lock = lock_leftover(d, name, partial_seconds);

		if (lock >= 0 && tree_remove(d->fd, name, NULL) == 0)
			removed++;
	}
	return removed;
}
