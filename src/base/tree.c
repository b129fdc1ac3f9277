/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Removing a tree that a container may have made to resist: deeper than there are descriptors, or without rights for its
 * owner.  The walk goes down DEPTH_MAX directories; one that lies deeper is moved to the top, where the next round finds it.
 */
#include "base/fd.h"

#include <dirent.h>
#include <limits.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { DEPTH_MAX = 64 };

struct walk {
	int top;         /* borrowed */
	unsigned moved;  /* directories that were moved to the top, ever */
	bool again;      /* one was moved in this round */
};

/* A directory on the mount of DIR: EXDEV for a mount point, also when it shows the same file system (a bind mount). */
static int open_same_mount(int dir, const char *name, int flags)
{
	const struct open_how how = {
		.flags = (unsigned)flags | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC,
		.resolve = RESOLVE_NO_XDEV,
	};

	return (int)syscall(SYS_openat2, dir, name, &how, sizeof(how));
}

/* Gives the owner of a directory the right to empty it. */
static int make_open(int dir, const char *name)
{
	auto_close int path = open_same_mount(dir, name, O_PATH);
	char link[32];

	if (path < 0)
		return -1;
	(void)snprintf(link, sizeof(link), "/proc/self/fd/%d", path);
	if (chmod(link, 0700) < 0)
		return -1;
	return open_same_mount(dir, name, O_RDONLY);
}

static int open_below(int dir, const char *name)
{
	int fd = open_same_mount(dir, name, O_RDONLY);
	struct stat st;

	if (fd < 0)
		return errno == EACCES ? make_open(dir, name) : -1;
	/* Root needs no rights, and for others an empty directory needs none either: then this fails harmlessly. */
	if (geteuid() != 0 && fstat(fd, &st) == 0 && (st.st_mode & 0700) != 0700)
		(void)fchmod(fd, 0700);
	return fd;
}

/* Moves directory NAME to the top. */
static int move_up(struct walk *w, int dir, const char *name, struct nook_error *e)
{
	auto_close int opened = open_below(dir, name); /* to move it takes the right to write to it */
	char to[NAME_MAX + 1];

	(void)opened;
	for (;;) {
		(void)snprintf(to, sizeof(to), ".nook-removed-%u", w->moved++);
		if (renameat(dir, name, w->top, to) == 0)
			break;
		if (errno != EEXIST && errno != ENOTEMPTY && errno != ENOTDIR)
			return err_sys(e, STEP_FILE, name);
	}
	w->again = true;
	return 0;
}

enum kind { GONE, DIRECTORY };

static int remove_file(int dir, const char *name, struct nook_error *e)
{
	if (unlinkat(dir, name, 0) == 0 || errno == ENOENT)
		return GONE;
	/* EPERM: some file systems say that of a directory. */
	return errno == EISDIR || errno == EPERM ? DIRECTORY : err_sys(e, STEP_FILE, name);
}

static int remove_empty(int dir, const char *name, struct nook_error *e)
{
	return unlinkat(dir, name, AT_REMOVEDIR) == 0 || errno == ENOENT ? 0 : err_sys(e, STEP_FILE, name);
}

/* Removes what is in DIR, and closes it. */
static int remove_below(struct walk *w, int dir, int depth, struct nook_error *e)
{
	DIR *stream = fdopendir(dir);
	struct dirent *entry;
	int r = 0;

	if (!stream) {
		r = err_sys(e, STEP_FILE, "directory");
		(void)close(dir);
		return r;
	}
	while (r >= 0 && (errno = 0, entry = readdir(stream))) {
		const char *name = entry->d_name;
		int below;

		if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
			continue;
		r = remove_file(dirfd(stream), name, e);
		if (r != DIRECTORY)
			continue;
		if (depth == DEPTH_MAX) {
			r = unlinkat(dirfd(stream), name, AT_REMOVEDIR) == 0 ? 0 : move_up(w, dirfd(stream), name, e);
			continue;
		}
		below = open_below(dirfd(stream), name);
		if (below < 0)
			r = errno == ENOENT ? 0 : err_sys(e, STEP_FILE, name);
		else
			r = remove_below(w, below, depth + 1, e);
		if (r >= 0)
			r = remove_empty(dirfd(stream), name, e);
	}
	if (r >= 0 && errno)
		r = err_sys(e, STEP_FILE, "directory");
	(void)closedir(stream);
	return r;
}

/* The directory that holds NAME, and its last component. */
static int open_parent(int dir, const char *name, const char **ret_last)
{
	const char *slash = strrchr(name, '/');
	char parent[PATH_MAX];

	*ret_last = slash ? slash + 1 : name;
	if (slash == name)
		return open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (slash && slash - name >= PATH_MAX) {
		errno = ENAMETOOLONG;
		return -1;
	}
	(void)snprintf(parent, sizeof(parent), "%.*s", slash ? (int)(slash - name) : 1, slash ? name : ".");
	return openat(dir, parent, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

int tree_remove(int dir, const char *name, struct nook_error *e)
{
	const char *last;

	if (TRY(remove_file(dir, name, e)) == GONE)
		return 0;
	auto_close int parent = open_parent(dir, name, &last);
	auto_close int top = parent < 0 ? -1 : open_below(parent, last);
	struct walk w = {.top = top, .again = true};

	if (top < 0)
		return errno == ENOENT ? 0 : err_sys(e, STEP_FILE, name);
	while (w.again) {
		int round = openat(top, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

		if (round < 0)
			return err_sys(e, STEP_FILE, name);
		w.again = false;
		TRY(remove_below(&w, round, 0, e));
	}
	return remove_empty(parent, last, e);
}
