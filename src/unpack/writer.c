/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "unpack/writer.h"

#include "base/alloc.h"
#include "base/fd.h"
#include "base/text.h"
#include "sys/inroot.h"
#include "unpack/entry_name.h"
#include "unpack/lower.h"
#include "unpack/whiteout.h"

#include <limits.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>

enum { XATTR_NAME_ROOM = 256, XATTR_VALUE_MAX = 65536 };

/* A megabyte of gzip can hold a gigabyte of zeros and a million empty files: these are the ends of patience. */
const struct writer_options writer_defaults = {
	.max_bytes = UINT64_C(64) << 30,
	.max_size = UINT64_C(16) << 40,
	.max_entries = 4 << 20,
	.max_depth = 512,
};

/* What is done to a directory when nothing is written into it any more. */
struct late {
	char *name; /* from the root; "" is the root itself */
	size_t nth;
	ino_t inode;
	uint32_t mode;
	struct timespec times[2];
};

struct writer {
	int root;
	struct writer_options options;
	uint64_t bytes, entries;
	struct writer_skipped skipped;

	/* The directory of the last entry: archives list the files of a directory one after the other. */
	int parent;
	char parent_name[PATH_MAX];

	const struct entry *entry; /* the file being written, or NULL */
	int file;

	struct late *late;
	size_t n_late;
};

struct writer *writer_new(int root, const struct writer_options *o)
{
	struct writer *w = xcalloc(1, sizeof(*w));

	w->root = root;
	w->options = *o;
	w->parent = w->file = -EBADF;
	return w;
}

void writer_free(struct writer *w)
{
	if (!w)
		return;
	close_fd(&w->parent);
	close_fd(&w->file);
	for (size_t i = 0; i < w->n_late; i++)
		free(w->late[i].name);
	free(w->late);
	free(w);
}

uint64_t writer_bytes(const struct writer *w)
{
	return w->bytes;
}

uint64_t writer_entries(const struct writer *w)
{
	return w->entries;
}

struct writer_skipped writer_skipped(const struct writer *w)
{
	return w->skipped;
}

static int refuse(struct nook_error *e, const struct entry *entry, int errnum, const char *why)
{
	return err_why(e, STEP_UNPACK, entry->name, errnum, why);
}

static int failed(struct nook_error *e, const struct entry *entry)
{
	return err_sys(e, STEP_UNPACK, entry->name);
}

/* The directory that an entry goes into; made, with what leads to it, when the archive did not list it before. */
static int enter_parent(struct writer *w, const struct entry_name *name, const struct entry *entry, struct nook_error *e)
{
	int fd;

	if (w->parent >= 0 && text_is(w->parent_name, name->dir))
		return 0;
	close_fd(&w->parent);
	fd = inroot_mkdirs(w->root, name->dir, 0755, NULL);
	if (fd < 0)
		return err_num(e, STEP_UNPACK, entry->name, fd);
	w->parent = fd;
	memcpy(w->parent_name, name->dir, strlen(name->dir) + 1);
	return 0;
}

/* Takes away what stands where an entry goes.  The parent's name may lead elsewhere afterwards. */
static int clear_place(struct writer *w, const char *last, const struct entry *entry, struct nook_error *e)
{
	int r = tree_remove(w->parent, last, NULL);

	/* No name is "/": the directory is looked up anew for the next entry. */
	w->parent_name[0] = '/';
	w->parent_name[1] = 0;
	return r < 0 ? err_num(e, STEP_UNPACK, entry->name, r) : 0;
}

/* Runs EXPR; when something is in the way, removes it and runs EXPR once more. */
#define MAKE(w, last, entry, e, expr)                                                \
	({                                                                           \
		long made_ = (expr);                                                 \
		if (made_ < 0 && errno == EEXIST) {                                  \
			TRY(clear_place(w, last, entry, e));                         \
			made_ = (expr);                                              \
		}                                                                    \
		if (made_ < 0)                                                       \
			return failed(e, entry);                                     \
		(int)made_;                                                          \
	})

/* ---- what belongs to every entry --------------------------------------------------------------------------------- */

static struct timespec sane(struct timespec t)
{
	if (t.tv_nsec < 0 || t.tv_nsec > 999999999)
		t.tv_nsec = 0;
	return t;
}

static int check_ids(const struct entry *entry, struct nook_error *e)
{
	if (entry->uid < 0 || entry->uid >= UINT32_MAX || entry->gid < 0 || entry->gid >= UINT32_MAX)
		return err_fmt(e, STEP_UNPACK, entry->name, ERANGE, "owner %lld:%lld is out of range", (long long)entry->uid,
			(long long)entry->gid);
	return 0;
}

/* The owner by descriptor, or by a last component that is not followed. */
static int set_owner(const struct writer *w, int fd, const char *last, const struct entry *entry, struct nook_error *e)
{
	if (w->options.owners == WRITER_OWNERS_OURS)
		return 0;
	if (fchownat(fd, last, (uid_t)entry->uid, (gid_t)entry->gid, AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH) == 0)
		return 0;
	if (errno == EINVAL)
		return err_fmt(e, STEP_UNPACK, entry->name, EINVAL, "owner %lld:%lld has no id in this user namespace",
			(long long)entry->uid, (long long)entry->gid);
	return failed(e, entry);
}

static bool is_wanted_xattr(const struct writer *w, const char *name)
{
	const char *user = text_after(name, "user.");

	if (user)
		return !text_after(user, "overlay.");
	/* In a user namespace the kernel binds them to its root (version 3). */
	return text_is(name, "security.capability") &&
		(w->options.owners == WRITER_OWNERS_KEPT || w->options.layer != WRITER_LAYER_NONE);
}

static int set_xattrs(struct writer *w, int fd, const struct entry *entry, struct nook_error *e)
{
	for (size_t i = 0; i < entry->n_xattrs; i++) {
		const struct entry_xattr *x = &entry->xattrs[i];

		if (!is_wanted_xattr(w, x->name)) {
			w->skipped.xattrs++;
			continue;
		}
		if (strlen(x->name) >= XATTR_NAME_ROOM || x->size > XATTR_VALUE_MAX)
			return refuse(e, entry, E2BIG, "has an extended attribute that is too large");
		if (fsetxattr(fd, x->name, x->value, x->size, 0) == 0)
			continue;
		/* A file system without xattrs loses labels, which is the user's choice, but not capabilities. */
		if (errno != EOPNOTSUPP || text_is(x->name, "security.capability"))
			return err_fmt(e, STEP_UNPACK, entry->name, errno, "extended attribute %.64s: %s", x->name, strerror(errno));
		w->skipped.xattrs++;
	}
	return 0;
}

static void remember(struct writer *w, const char *name, ino_t inode, const struct entry *entry)
{
	/* Room doubles at each power of two. */
	if ((w->n_late & (w->n_late - 1)) == 0)
		w->late = xrealloc(w->late, w->n_late ? w->n_late * 2 : 1, sizeof(*w->late));
	w->late[w->n_late] = (struct late){
		.name = xstrdup(name),
		.nth = w->n_late,
		.inode = inode,
		.mode = entry->mode & 07777,
		.times = {sane(entry->atime), sane(entry->mtime)},
	};
	w->n_late++;
}

/* ---- one function for each type ----------------------------------------------------------------------------------- */

static int add_dir(struct writer *w, const struct entry_name *name, const struct entry *entry, struct nook_error *e)
{
	const char *last = name->last[0] ? name->last : ".";
	auto_close int fd = -EBADF;
	struct stat st;

	/* Owner-only until the end: nobody looks in while it fills, and we can write in it whatever its mode will be. */
	if (mkdirat(w->parent, last, 0700) < 0) {
		if (errno != EEXIST)
			return failed(e, entry);
		if (fstatat(w->parent, last, &st, AT_SYMLINK_NOFOLLOW) < 0)
			return failed(e, entry);
		if (!S_ISDIR(st.st_mode)) {
			TRY(clear_place(w, last, entry, e));
			if (mkdirat(w->parent, last, 0700) < 0)
				return failed(e, entry);
		}
	}
	fd = openat(w->parent, last, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &st) < 0)
		return failed(e, entry);
	TRY(set_owner(w, fd, "", entry, e));
	TRY(set_xattrs(w, fd, entry, e));
	remember(w, name->full, st.st_ino, entry);
	return 0;
}

static int add_file(struct writer *w, const char *last, const struct entry *entry, struct nook_error *e)
{
	if (entry->size < 0 || (uint64_t)entry->size > w->options.max_size)
		return refuse(e, entry, EFBIG, "is larger than one file may be");
	w->file = MAKE(w, last, entry, e, openat(w->parent, last, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600));
	w->entry = entry;
	return 1;
}

static int add_symlink(struct writer *w, const char *last, const struct entry *entry, struct nook_error *e)
{
	const struct timespec times[2] = {sane(entry->atime), sane(entry->mtime)};

	if (!*entry->link || strlen(entry->link) >= PATH_MAX)
		return refuse(e, entry, EINVAL, "is a symbolic link with no usable text");
	(void)MAKE(w, last, entry, e, symlinkat(entry->link, w->parent, last));
	TRY(set_owner(w, w->parent, last, entry, e));
	w->skipped.xattrs += entry->n_xattrs;
	return utimensat(w->parent, last, times, AT_SYMLINK_NOFOLLOW) < 0 ? failed(e, entry) : 0;
}

static bool is_there(int dir, const char *name)
{
	return faccessat(dir, name, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

/* A hard link to a file of a layer below: a copy. */
static int link_below(struct writer *w, const char *last, const struct entry_name *target, const struct entry *entry,
	struct nook_error *e)
{
	auto_close int from = -EBADF, to = -EBADF;
	int r;

	if (w->options.links_skipped) {
		if (!w->skipped.links++)
			(void)snprintf(w->skipped.link, sizeof(w->skipped.link), "%s", entry->name);
		return 0;
	}
	from = lower_open(w->options.lowers, w->options.n_lowers, target);
	if (from < 0)
		return err_fmt(e, STEP_UNPACK, entry->name, ENOENT, "links to \"%.100s\", which is %s", entry->link,
			from == -EPERM ? "no regular file" : "neither in this layer nor below");
	to = MAKE(w, last, entry, e, openat(w->parent, last, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600));
	r = lower_copy(from, to, w->options.owners == WRITER_OWNERS_KEPT ? LOWER_OWNER_KEPT : LOWER_OWNER_OURS);
	return r < 0 ? err_num(e, STEP_UNPACK, entry->name, r) : 0;
}

static int add_hardlink(struct writer *w, const char *last, const struct entry *entry, struct nook_error *e)
{
	struct entry_name target;
	struct stat old, here;
	const char *why = entry_name_parse(entry->link, w->options.max_depth, &target);

	if (why || !target.last[0])
		return err_fmt(e, STEP_UNPACK, entry->name, EINVAL, "links to \"%.100s\", which %s", entry->link,
			why ? why : "is the root");
	auto_close int dir = inroot_open_raw(w->root, target.dir[0] ? target.dir : "/", O_PATH | O_DIRECTORY, 0);

	if (w->options.layer != WRITER_LAYER_NONE && (dir < 0 || !is_there(dir, target.last)))
		return link_below(w, last, &target, entry, e);
	if (dir < 0 || fstatat(dir, target.last, &old, AT_SYMLINK_NOFOLLOW) < 0)
		return err_fmt(e, STEP_UNPACK, entry->name, ENOENT, "links to \"%.100s\", which is not in the root", entry->link);
	if (S_ISDIR(old.st_mode))
		return err_fmt(e, STEP_UNPACK, entry->name, EPERM, "links to \"%.100s\", which is a directory", entry->link);
	/* A link to itself: removing what is in the way would remove the target. */
	if (fstatat(w->parent, last, &here, AT_SYMLINK_NOFOLLOW) == 0 && here.st_dev == old.st_dev && here.st_ino == old.st_ino)
		return 0;
	(void)MAKE(w, last, entry, e, linkat(dir, target.last, w->parent, last, 0));
	return 0;
}

static int add_node(struct writer *w, const char *last, const struct entry *entry, struct nook_error *e)
{
	const struct timespec times[2] = {sane(entry->atime), sane(entry->mtime)};
	const bool is_device = entry->type != ENTRY_FIFO;
	const mode_t type = entry->type == ENTRY_CHAR ? S_IFCHR : entry->type == ENTRY_BLOCK ? S_IFBLK : S_IFIFO;
	dev_t device = 0;

	if (is_device && w->options.devices == WRITER_DEVICES_SKIPPED) {
		w->skipped.devices++;
		return 0;
	}
	if (is_device) {
		if (entry->major < 0 || entry->major > 0xfff || entry->minor < 0 || entry->minor > 0xfffff)
			return refuse(e, entry, ERANGE, "has a device number out of range");
		device = makedev((unsigned)entry->major, (unsigned)entry->minor);
	}
	/* To overlayfs this is a whiteout, and no other device has these numbers. */
	if (w->options.layer != WRITER_LAYER_NONE && entry->type == ENTRY_CHAR && device == 0) {
		w->skipped.devices++;
		return 0;
	}
	(void)MAKE(w, last, entry, e, mknodat(w->parent, last, type | (entry->mode & 0777), device));
	TRY(set_owner(w, w->parent, last, entry, e));
	w->skipped.xattrs += entry->n_xattrs;
	return utimensat(w->parent, last, times, AT_SYMLINK_NOFOLLOW) < 0 ? failed(e, entry) : 0;
}

/* In a layer a directory that comes after the whiteout of its name is new: the one below must not shine through. */
static int add_layer_dir(struct writer *w, const struct entry_name *name, const struct entry *entry, struct nook_error *e)
{
	const bool was_hidden = name->last[0] && whiteout_is(w->parent, name->last);

	TRY(add_dir(w, name, entry, e));
	if (!was_hidden)
		return 0;
	auto_close int fd = openat(w->parent, name->last, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	return fd < 0 ? failed(e, entry) : whiteout_opaque(w->options.layer, fd, entry, e);
}

/* ---- public ------------------------------------------------------------------------------------------------------- */

int writer_add(struct writer *w, const struct entry *entry, struct nook_error *e)
{
	struct entry_name name;
	const char *why = entry_name_parse(entry->name, w->options.max_depth, &name);
	const char *hidden = NULL;

	if (why)
		return refuse(e, entry, EINVAL, why);
	if (++w->entries > w->options.max_entries)
		return err_fmt(e, STEP_UNPACK, entry->name, E2BIG, "is one of more than %llu entries",
			(unsigned long long)w->options.max_entries);
	if (w->options.owners == WRITER_OWNERS_KEPT)
		TRY(check_ids(entry, e));
	if (!name.last[0] && entry->type != ENTRY_DIR)
		return refuse(e, entry, EISDIR, "would replace the root directory");
	TRY(enter_parent(w, &name, entry, e));
	if (w->options.layer != WRITER_LAYER_NONE) {
		hidden = text_after(name.last, ".wh.");
		if (hidden)
			return whiteout_add(w->options.layer, w->parent, hidden, entry, e);
		if (entry->type == ENTRY_DIR)
			return add_layer_dir(w, &name, entry, e);
	}
	switch (entry->type) {
	case ENTRY_FILE:
		return add_file(w, name.last, entry, e);
	case ENTRY_DIR:
		return add_dir(w, &name, entry, e);
	case ENTRY_SYMLINK:
		return add_symlink(w, name.last, entry, e);
	case ENTRY_HARDLINK:
		return add_hardlink(w, name.last, entry, e);
	case ENTRY_CHAR:
	case ENTRY_BLOCK:
	case ENTRY_FIFO:
		return add_node(w, name.last, entry, e);
	}
	return refuse(e, entry, EINVAL, "is of no type that can be written");
}

int writer_data(struct writer *w, int64_t offset, const void *data, size_t size, struct nook_error *e)
{
	if (offset < 0 || offset > w->entry->size || size > (uint64_t)(w->entry->size - offset))
		return refuse(e, w->entry, EINVAL, "has data beyond its size");
	w->bytes += size;
	if (w->bytes > w->options.max_bytes)
		return err_fmt(e, STEP_UNPACK, w->entry->name, EFBIG, "takes the archive beyond %llu bytes",
			(unsigned long long)w->options.max_bytes);
	while (size > 0) {
		ssize_t n = pwrite(w->file, data, size, offset);

		if (n < 0)
			return failed(e, w->entry);
		data = (const char *)data + n;
		offset += n;
		size -= (size_t)n;
	}
	return 0;
}

int writer_end(struct writer *w, struct nook_error *e)
{
	const struct entry *entry = w->entry;
	const struct timespec times[2] = {sane(entry->atime), sane(entry->mtime)};
	auto_close int fd = take_fd(&w->file);
	struct stat st;

	w->entry = NULL;
	if (fstat(fd, &st) < 0)
		return failed(e, entry);
	if (st.st_size != entry->size && ftruncate(fd, entry->size) < 0)
		return failed(e, entry);
	TRY(set_owner(w, fd, "", entry, e));
	TRY(set_xattrs(w, fd, entry, e));
	if (fchmod(fd, entry->mode & 07777) < 0 || futimens(fd, times) < 0)
		return failed(e, entry);
	return 0;
}

static int finish_dir(const struct writer *w, const struct late *l, uint32_t mode, struct nook_error *e)
{
	auto_close int fd = inroot_open_raw(w->root, l->name[0] ? l->name : "/", O_RDONLY | O_DIRECTORY | O_NOFOLLOW, 0);
	struct stat st;

	/* A later entry replaced it: then these are not its mode and times. */
	if (fd == -ENOENT || fd == -ENOTDIR || fd == -ELOOP)
		return 0;
	if (fd < 0)
		return err_num(e, STEP_UNPACK, l->name, fd);
	if (fstat(fd, &st) < 0)
		return err_sys(e, STEP_UNPACK, l->name);
	if (st.st_ino != l->inode)
		return 0;
	if (fchmod(fd, mode) < 0 || futimens(fd, l->times) < 0)
		return err_sys(e, STEP_UNPACK, l->name);
	return 0;
}

static int deepest_first(const void *a, const void *b)
{
	const struct late *x = a, *y = b;
	int order = strcmp(y->name, x->name);

	return order ? order : (x->nth > y->nth) - (x->nth < y->nth);
}

int writer_finish(struct writer *w, struct nook_error *e)
{
	close_fd(&w->parent);
	/* Of one that came twice the later counts, so the order of the archive; and no directory may be closed to us by its
	 * mode while others below it are still to be reached, so those modes in a second round, the deepest first. */
	for (size_t i = 0; i < w->n_late; i++)
		TRY(finish_dir(w, &w->late[i], w->late[i].mode | 0700, e));
	if (w->n_late)
		qsort(w->late, w->n_late, sizeof(*w->late), deepest_first);
	for (size_t i = 0; i < w->n_late; i++)
		if ((w->late[i].mode & 0700) != 0700)
			TRY(finish_dir(w, &w->late[i], w->late[i].mode, e));
	return 0;
}
