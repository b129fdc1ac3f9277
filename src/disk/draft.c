/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "disk/draft.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* The directory part of PATH, "." when there is none. */
static void folder_of(const char *path, char *folder, size_t size)
{
	const char *slash = strrchr(path, '/');

	(void)snprintf(folder, size, "%.*s", slash ? (int)(slash - path) + (slash == path) : 1, slash ? path : ".");
}

/* Beside PATH; what a process of this number that was killed has left there goes. */
static int hide(struct draft *d, const char *path, struct nook_error *e)
{
	const char *slash = strrchr(path, '/');
	char folder[PATH_MAX];

	folder_of(path, folder, sizeof(folder));
	if (snprintf(d->hidden, sizeof(d->hidden), "%s/.%s.%d", folder, slash ? slash + 1 : path, (int)getpid()) >= (int)sizeof(d->hidden)) {
		d->hidden[0] = 0;
		return err_num(e, STEP_DISK, path, ENAMETOOLONG);
	}
	(void)unlink(d->hidden);
	return 0;
}

int draft_open_over(struct draft *d, const char *path, struct nook_error *e)
{
	char folder[PATH_MAX];

	*d = (struct draft)DRAFT_INIT;
	folder_of(path, folder, sizeof(folder));
	d->fd = open(folder, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	if (d->fd < 0 && (errno == EOPNOTSUPP || errno == EISDIR || errno == EINVAL)) {
		TRY(hide(d, path, e));
		d->fd = open(d->hidden, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	}
	if (d->fd < 0) {
		int r = err_sys(e, STEP_DISK, path);

		d->hidden[0] = 0;
		return r;
	}
	(void)snprintf(d->self, sizeof(d->self), "/proc/%d/fd/%d", (int)getpid(), d->fd);
	return 0;
}

int draft_open(struct draft *d, const char *path, struct nook_error *e)
{
	struct stat st;

	*d = (struct draft)DRAFT_INIT;
	/* Told early; linkat(2) is what decides. */
	if (lstat(path, &st) == 0)
		return err_num(e, STEP_DISK, path, EEXIST);
	return draft_open_over(d, path, e);
}

int draft_replace(struct draft *d, const char *path, mode_t mode, struct nook_error *e)
{
	if (fchmod(d->fd, mode) < 0)
		return err_sys(e, STEP_FILE, path);
	if (!d->hidden[0] && linkat(AT_FDCWD, d->self, AT_FDCWD, path, AT_SYMLINK_FOLLOW) == 0) {
		draft_done(d);
		return 0;
	}
	/* Only something with a name takes the place of something. */
	if (!d->hidden[0]) {
		if (errno != EEXIST)
			return err_sys(e, STEP_FILE, path);
		TRY(hide(d, path, e));
		if (linkat(AT_FDCWD, d->self, AT_FDCWD, d->hidden, AT_SYMLINK_FOLLOW) < 0)
			return err_sys(e, STEP_FILE, path);
	}
	if (rename(d->hidden, path) < 0)
		return err_sys(e, STEP_FILE, path);
	d->hidden[0] = 0;
	draft_done(d);
	return 0;
}

int draft_publish(struct draft *d, const char *path, struct nook_error *e)
{
	if (fsync(d->fd) < 0)
		return err_sys(e, STEP_DISK, path);
	if (linkat(AT_FDCWD, d->hidden[0] ? d->hidden : d->self, AT_FDCWD, path, d->hidden[0] ? 0 : AT_SYMLINK_FOLLOW) < 0)
		return err_sys(e, STEP_DISK, path);
	draft_done(d);
	return 0;
}

void draft_done(struct draft *d)
{
	close_fd(&d->fd);
	if (d->hidden[0])
		(void)unlink(d->hidden);
	d->hidden[0] = 0;
}
