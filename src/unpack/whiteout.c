/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "unpack/whiteout.h"

#include "base/text.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/xattr.h>

/* The attributes of overlayfs have the names of those who will read them. */
static const struct {
	const char *prefix;
	enum writer_layer but;
} names[] = {{"trusted.overlay.", WRITER_LAYER_USER}, {"user.overlay.", WRITER_LAYER_TRUSTED}};
enum { NAMES = sizeof(names) / sizeof(names[0]), NAME_MAX_LEN = 64 };

static const char *attribute(size_t i, const char *what, char buf[NAME_MAX_LEN])
{
	(void)snprintf(buf, NAME_MAX_LEN, "%s%s", names[i].prefix, what);
	return buf;
}

static int mark(enum writer_layer layer, int fd, const char *what, const char *value, const struct entry *entry, struct nook_error *e)
{
	char name[NAME_MAX_LEN];

	for (size_t i = 0; i < NAMES; i++)
		if (layer != names[i].but && fsetxattr(fd, attribute(i, what, name), value, strlen(value), 0) < 0)
			return err_fmt(e, STEP_UNPACK, entry->name, errno, "%s: %s", name, strerror(errno));
	return 0;
}

/* The first letter of the attribute, or 0: there is none. */
static char marked(int fd, const char *what)
{
	char name[NAME_MAX_LEN], value = 0;

	for (size_t i = 0; i < NAMES && !value; i++)
		if (fgetxattr(fd, attribute(i, what, name), &value, 1) < 0)
			value = 0;
	return value;
}

int whiteout_opaque(enum writer_layer layer, int fd, const struct entry *entry, struct nook_error *e)
{
	if (marked(fd, "opaque") == 'x')
		return err_why(e, STEP_UNPACK, entry->name, EOPNOTSUPP, "hides a directory, in which files hide others that only a store on no overlay can hide");
	return mark(layer, fd, "opaque", "y", entry, e);
}

/* On an overlay, where no device can be what hides, an empty file is (since Linux 6.7), in a directory that says so: one that
 * hides all has nothing more to hide. */
static int mark_hidden(enum writer_layer layer, int parent, const char *hidden, const struct entry *entry, struct nook_error *e)
{
	static const struct timespec never[2] = {0};
	auto_close int dir = openat(parent, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	auto_close int fd = -EBADF;

	if (dir < 0)
		return err_sys(e, STEP_UNPACK, entry->name);
	if (marked(dir, "opaque") == 'y')
		return 0;
	fd = openat(parent, hidden, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0400);
	if (fd < 0)
		return err_sys(e, STEP_UNPACK, entry->name);
	TRY(mark(layer, fd, "whiteout", "y", entry, e));
	TRY(mark(layer, dir, "opaque", "x", entry, e));
	return futimens(fd, never) < 0 ? err_sys(e, STEP_UNPACK, entry->name) : 0;
}

int whiteout_add(enum writer_layer layer, int parent, const char *hidden, const struct entry *entry, struct nook_error *e)
{
	struct stat st;

	if (text_is(hidden, ".wh..opq")) {
		auto_close int fd = openat(parent, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

		return fd < 0 ? err_sys(e, STEP_UNPACK, entry->name) : whiteout_opaque(layer, fd, entry, e);
	}
	/* aufs keeps its books under names of its own, such as .wh..wh.plnk. */
	if (text_after(hidden, ".wh."))
		return 0;
	if (!*hidden || text_is(hidden, ".") || text_is(hidden, ".."))
		return err_why(e, STEP_UNPACK, entry->name, EINVAL, "is a whiteout of no name");
	if (mknodat(parent, hidden, S_IFCHR, 0) == 0)
		return 0;
	if (errno == EPERM)
		return mark_hidden(layer, parent, hidden, entry, e);
	if (errno != EEXIST || fstatat(parent, hidden, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return err_sys(e, STEP_UNPACK, entry->name);
	if (!S_ISDIR(st.st_mode))
		return 0;
	auto_close int dir = openat(parent, hidden, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	return dir < 0 ? err_sys(e, STEP_UNPACK, entry->name) : whiteout_opaque(layer, dir, entry, e);
}

bool whiteout_is(int parent, const char *last)
{
	struct stat st;

	if (fstatat(parent, last, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return false;
	if (S_ISCHR(st.st_mode))
		return st.st_rdev == 0;
	if (!S_ISREG(st.st_mode) || st.st_size)
		return false;
	auto_close int fd = openat(parent, last, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);

	return fd >= 0 && marked(fd, "whiteout");
}
