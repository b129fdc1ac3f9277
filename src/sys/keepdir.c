/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "sys/keepdir.h"

#include "base/fd.h"
#include "base/path.h"
#include "base/text.h"
#include "sys/openat2.h"

#include <limits.h>
#include <stdio.h>
#include <sys/stat.h>

enum { RECORD_MAX = PATH_MAX + 64 };

static const char record_name[] = "original", lock_name[] = "lock";

/* A directory of this user's, closed to all others. */
static int dir_open(const char *path, struct nook_error *e)
{
	auto_close int dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct stat st;

	if (dir < 0 || fstat(dir, &st) < 0)
		return err_sys(e, STEP_LOCK, path);
	if (st.st_uid != geteuid())
		return err_why(e, STEP_LOCK, path, EPERM, "it belongs to somebody else");
	if (st.st_mode & 077)
		return err_why(e, STEP_LOCK, path, EPERM, "others may enter it: changes are kept in a directory of mode 0700");
	return take_fd(&dir);
}

static int lock_take(int dir, const char *path, struct nook_error *e)
{
	int lock = file_trylock(dir, lock_name, e);

	return lock == -EWOULDBLOCK ? err_why(e, STEP_LOCK, path, EBUSY, "a box runs on it") : lock;
}

static int record_read(int dir, const char *path, struct buf *text, struct nook_error *e)
{
	auto_close int fd = openat(dir, record_name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	char line[RECORD_MAX];
	ssize_t n;

	if (fd < 0 && errno == ENOENT)
		return err_why(e, STEP_LOCK, path, ENOENT, "it keeps no changes of a box");
	n = fd < 0 ? -errno : fd_read(fd, line, sizeof(line));
	if (n < 0)
		return err_num(e, STEP_LOCK, path, (int)n);
	buf_add(text, line, (size_t)n);
	return 0;
}

/* What tells a directory from another one of the same path, also after the machine was started anew. */
static int add_identity(int fd, const char *object, struct buf *text, struct nook_error *e)
{
	struct statx st;

	if (statx(fd, "", AT_EMPTY_PATH, STATX_INO | STATX_BTIME, &st) < 0)
		return err_sys(e, STEP_SOURCE, object);
	buf_addf(text, "%llu %lld\n", (unsigned long long)st.stx_ino, (long long)(st.stx_mask & STATX_BTIME ? st.stx_btime.tv_sec : 0));
	return 0;
}

/* Is PATH the directory BELOW or in it? */
static int real_path(int fd, const char *object, char *ret, struct nook_error *e)
{
	int r = fd_real_path(fd, ret, PATH_MAX);

	return r < 0 ? err_num(e, STEP_LOCK, object, r) : 0;
}

/* The paths that the kernel has for both, and what ORIGINAL is: overlayfs cannot have one in the other. */
static int look(int dir, const char *path, const char *original, struct buf *record, struct nook_error *e)
{
	auto_close int fd = open(original, O_PATH | O_DIRECTORY | O_CLOEXEC);
	char here[PATH_MAX], there[PATH_MAX];

	if (fd < 0)
		return err_sys(e, STEP_SOURCE, original);
	TRY(real_path(dir, path, here, e));
	TRY(real_path(fd, original, there, e));
	if (path_below(here, there) || path_below(there, here))
		return err_why(e, STEP_LOCK, path, EINVAL, "changes are kept outside of the directory that they change");
	if (strchr(there, '\n'))
		return err_why(e, STEP_SOURCE, original, EINVAL, "its path has a line break");
	buf_addf(record, "%s\n", there);
	return add_identity(fd, original, record, e);
}

int keepdir_make(const char *path, const char *original, struct nook_error *e)
{
	AUTO_VALUE(buf_done) struct buf want = {0}, have = {0};
	auto_close int dir = -EBADF;
	struct stat st;

	if (mkdir(path, 0700) < 0 && errno != EEXIST)
		return err_sys(e, STEP_LOCK, path);
	dir = TRY(dir_open(path, e));
	auto_close int lock = TRY(lock_take(dir, path, e));

	TRY(look(dir, path, original, &want, e));
	if (fstatat(dir, record_name, &st, AT_SYMLINK_NOFOLLOW) < 0 && errno == ENOENT) {
		TRY(file_replace(dir, record_name, buf_text(&want), want.len, 0600, FILE_NO_SYNC, e));
		return take_fd(&lock);
	}
	TRY(record_read(dir, path, &have, e));
	if (!text_is(buf_text(&have), buf_text(&want)))
		return err_fmt(e, STEP_LOCK, path, EEXIST, "it keeps changes of %.*s", (int)strcspn(buf_text(&have), "\n"), buf_text(&have));
	return take_fd(&lock);
}

int keepdir_open(const char *path, struct arena *a, struct keepdir *ret, struct nook_error *e)
{
	AUTO_VALUE(keepdir_done) struct keepdir k = KEEPDIR_INIT;
	AUTO_VALUE(buf_done) struct buf record = {0};
	char *line;
	size_t len;

	k.dir = TRY(dir_open(path, e));
	TRY(record_read(k.dir, path, &record, e));
	k.lock = TRY(lock_take(k.dir, path, e));
	line = arena_strdup(a, buf_text(&record));
	len = strcspn(line, "\n");
	if (line[0] != '/' || !line[len])
		return err_why(e, STEP_LOCK, path, EINVAL, "its record is damaged");
	line[len] = 0;
	k.where = line;
	k.identity = line + len + 1;
	k.upper = openat(k.dir, "upper", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (k.upper < 0 && errno != ENOENT)
		return err_sys(e, STEP_LOCK, path);
	*ret = k;
	k = (struct keepdir)KEEPDIR_INIT;
	return 0;
}

/* A record that was written for another directory of the same name must not lead to changes in this one. */
int keepdir_original(const struct keepdir *k, struct nook_error *e)
{
	auto_close int fd = openat2_raw(AT_FDCWD, k->where, O_RDONLY | O_DIRECTORY, 0, RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS);
	AUTO_VALUE(buf_done) struct buf now = {0};

	if (fd < 0)
		return err_num(e, STEP_SOURCE, k->where, fd);
	TRY(add_identity(fd, k->where, &now, e));
	if (!text_is(buf_text(&now), k->identity))
		return err_why(e, STEP_SOURCE, k->where, ESTALE, "it is not the directory that the box saw");
	return take_fd(&fd);
}

void keepdir_done(struct keepdir *k)
{
	close_fd(&k->dir);
	close_fd(&k->lock);
	close_fd(&k->upper);
}
