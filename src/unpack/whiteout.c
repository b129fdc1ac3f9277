/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "unpack/whiteout.h"

#include "base/text.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/xattr.h>

/* An attribute of overlayfs, under the names of those who will read it. */
static int mark(const struct whiteouts *w, int fd, const char *what, const char *value, const struct entry *entry, struct nook_error *e)
{
	static const struct {
		const char *prefix;
		enum writer_layer but;
	} names[] = {{"trusted.overlay.", WRITER_LAYER_USER}, {"user.overlay.", WRITER_LAYER_TRUSTED}};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		char name[64];

		(void)snprintf(name, sizeof(name), "%s%s", names[i].prefix, what);
		if (w->layer != names[i].but && fsetxattr(fd, name, value, strlen(value), 0) < 0)
			return err_fmt(e, STEP_UNPACK, entry->name, errno, "%s: %s", name, strerror(errno));
	}
	return 0;
}

int whiteout_opaque(struct whiteouts *w, int fd, const struct entry *entry, struct nook_error *e)
{
	if (w->has_marked_files)
		return err_why(e, STEP_UNPACK, entry->name, EOPNOTSUPP, "hides a directory, which stands beside files that hide only where the store is on no overlay");
	return mark(w, fd, "opaque", "y", entry, e);
}

/* On an overlay, where no device can be what hides, an empty file is (since Linux 6.7), in a directory that says so. */
static int mark_hidden(struct whiteouts *w, int parent, const char *hidden, const struct entry *entry, struct nook_error *e)
{
	static const struct timespec never[2] = {0};
	auto_close int fd = openat(parent, hidden, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0400);
	auto_close int dir = openat(parent, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0 || dir < 0)
		return err_sys(e, STEP_UNPACK, entry->name);
	TRY(mark(w, fd, "whiteout", "y", entry, e));
	TRY(mark(w, dir, "opaque", "x", entry, e));
	w->has_marked_files = true;
	return futimens(fd, never) < 0 ? err_sys(e, STEP_UNPACK, entry->name) : 0;
}

int whiteout_add(struct whiteouts *w, int parent, const char *hidden, const struct entry *entry, struct nook_error *e)
{
	struct stat st;

	if (text_is(hidden, ".wh..opq")) {
		auto_close int fd = openat(parent, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

		return fd < 0 ? err_sys(e, STEP_UNPACK, entry->name) : whiteout_opaque(w, fd, entry, e);
	}
	/* aufs keeps its books under names of its own, such as .wh..wh.plnk. */
	if (text_after(hidden, ".wh."))
		return 0;
	if (!*hidden || text_is(hidden, ".") || text_is(hidden, ".."))
		return err_why(e, STEP_UNPACK, entry->name, EINVAL, "is a whiteout of no name");
	if (mknodat(parent, hidden, S_IFCHR, 0) == 0)
		return 0;
	if (errno == EPERM)
		return mark_hidden(w, parent, hidden, entry, e);
	if (errno != EEXIST || fstatat(parent, hidden, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return err_sys(e, STEP_UNPACK, entry->name);
	if (!S_ISDIR(st.st_mode))
		return 0;
	auto_close int dir = openat(parent, hidden, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	return dir < 0 ? err_sys(e, STEP_UNPACK, entry->name) : whiteout_opaque(w, dir, entry, e);
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

	return fd >= 0 && (fgetxattr(fd, "user.overlay.whiteout", NULL, 0) >= 0 || fgetxattr(fd, "trusted.overlay.whiteout", NULL, 0) >= 0);
}
