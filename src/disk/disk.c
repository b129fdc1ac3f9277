/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "disk/disk.h"

#include "base/cleanup.h"
#include "base/fd.h"
#include "base/names.h"
#include "disk/draft.h"
#include "disk/note.h"
#include "disk/sparse.h"

#include <fcntl.h>
#include <linux/btrfs.h>
#include <linux/fs.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/stat.h>

enum { BYTES_MIN = 1 << 20, BYTES_STEP = 4096, SELF_MAX = 32 };

/* xfs_fs.h comes with xfslibs-dev alone. */
struct xfs_grow {
	uint64_t blocks;
	uint32_t inode_percent;
};
#define XFS_GROW _IOW('X', 110, struct xfs_grow)
enum { XFS_INODE_PERCENT_AT = 127 }; /* in the superblock */

static int check_bytes(const char *path, uint64_t bytes, struct nook_error *e)
{
	if (bytes < BYTES_MIN || bytes > INT64_MAX)
		return err_why(e, STEP_DISK, path, ERANGE, "a disk has at least 1m");
	if (bytes % BYTES_STEP)
		return err_why(e, STEP_DISK, path, EINVAL, "the size is no multiple of 4096 bytes");
	return 0;
}

int disk_make(struct draft *d, const char *path, const struct disk_new *n, struct nook_error *e)
{
	TRY(check_bytes(path, n->bytes, e));
	if (ftruncate(d->fd, (off_t)n->bytes) < 0)
		return err_sys(e, STEP_DISK, path);
	return disk_tools_make(d->self, n, e);
}

int disk_create(const char *path, const struct disk_new *n, struct nook_error *e)
{
	AUTO_VALUE(draft_done) struct draft d = DRAFT_INIT;

	TRY(draft_open(&d, path, e));
	TRY(disk_make(&d, path, n, e));
	return draft_publish(&d, path, e);
}

/* ---- what one is opened for ---------------------------------------------------------------------------------------- */

struct disk {
	const char *path;
	int file;
	struct fsimage image;
	char self[SELF_MAX]; /* its name for programs: this file, whatever the path leads to meanwhile */
	struct stat st;
};

static void disk_done(struct disk *d)
{
	close_fd(&d->file);
}

static int disk_open(const char *path, enum fsimage_mode mode, struct disk *d, struct nook_error *e)
{
	*d = (struct disk){.path = path, .file = -EBADF};
	d->file = TRY(fsimage_open(path, mode, e));
	(void)snprintf(d->self, sizeof(d->self), "/proc/%d/fd/%d", (int)getpid(), d->file);
	if (fstat(d->file, &d->st) < 0)
		return err_sys(e, STEP_DISK, path);
	return fsimage_probe(d->file, path, &d->image, e);
}

static int disk_open_writable(const char *path, struct disk *d, struct nook_error *e)
{
	TRY(disk_open(path, FSIMAGE_WRITABLE, d, e));
	if (!fsimage_is_writable(d->image.type))
		return err_fmt(e, STEP_DISK, path, EROFS, "%s is never written", fsimage_names[d->image.type]);
	return 0;
}

/* The root directory of its file system, mounted where nobody sees it. */
static int disk_mount(const struct disk *d, struct nook_error *e)
{
	auto_close int mnt = -EBADF;
	int root;

	if (geteuid() != 0)
		return err_fmt(e, STEP_DISK, d->path, EPERM, "for %s this needs a mount, and so root", fsimage_names[d->image.type]);
	mnt = TRY(fsimage_mount(d->file, d->image.type, FSIMAGE_WRITABLE, MOUNT_ATTR_NODEV | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC,
		d->path, e));
	root = openat(mnt, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return root < 0 ? err_sys(e, STEP_DISK, d->path) : root;
}

int disk_mount_file(int file, const char *path, struct nook_error *e)
{
	AUTO_VALUE(disk_done) struct disk d = {.path = path, .file = fcntl(file, F_DUPFD_CLOEXEC, 0)};

	if (d.file < 0)
		return err_sys(e, STEP_DISK, path);
	TRY(fsimage_probe(d.file, path, &d.image, e));
	return disk_mount(&d, e);
}

int disk_mount_beside(const char *path, struct nook_error *e)
{
	const unsigned attr = MOUNT_ATTR_NODEV | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC | MOUNT_ATTR_RDONLY;
	auto_close int mnt = -EBADF, root = -EBADF;
	struct nook_error busy = NOOK_ERROR_INIT;
	int file = fsimage_open(path, FSIMAGE_WRITABLE, &busy);
	AUTO_VALUE(disk_done) struct disk d = {.path = path, .file = file};

	if (file < 0 && file != -EBUSY) {
		if (e)
			*e = busy;
		return file;
	}
	if (file < 0)
		d.file = open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	if (d.file < 0)
		return err_sys(e, STEP_DISK, path);
	TRY(fsimage_probe(d.file, path, &d.image, e));
	/* Writable below the mount: a journal may have to be replayed, and what is mounted already cannot be another way. */
	mnt = file >= 0 ? fsimage_mount(d.file, d.image.type, FSIMAGE_WRITABLE, attr, path, e)
			: fsimage_mount_again(d.file, d.image.type, attr, path, e);
	if (mnt == -ENOENT && file < 0) {
		if (e)
			*e = busy;
		return file;
	}
	TRY(mnt);
	root = openat(mnt, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return root < 0 ? err_sys(e, STEP_DISK, path) : take_fd(&root);
}

/* ---- grow ------------------------------------------------------------------------------------------------------------ */

static int grow_mounted(const struct disk *d, uint64_t bytes, struct nook_error *e)
{
	auto_close int root = TRY(disk_mount(d, e));
	struct btrfs_ioctl_vol_args args = {.name = "max"};
	struct xfs_grow grow = {.blocks = d->image.block_bytes ? bytes / d->image.block_bytes : 0};
	uint8_t percent = 0;
	int r;

	/* The call sets the share of inodes as well: to what it is. */
	if (d->image.type == FSIMAGE_XFS && pread(d->file, &percent, 1, XFS_INODE_PERCENT_AT) != 1)
		return err_sys(e, STEP_DISK, d->path);
	grow.inode_percent = percent;
	r = d->image.type == FSIMAGE_XFS ? ioctl(root, XFS_GROW, &grow) : ioctl(root, BTRFS_IOC_RESIZE, &args);
	return r < 0 ? err_sys(e, STEP_DISK, d->path) : 0;
}

/* Without the note behind the file system, which NOTE then is. */
static int disk_open_bare(const char *path, struct disk *d, struct arena *a, const char **ret_note, struct nook_error *e)
{
	uint64_t bytes = 0;

	TRY(disk_open_writable(path, d, e));
	if (TRY(note_find(d->file, a, ret_note, &bytes, path, e)))
		d->st.st_size -= (off_t)bytes;
	return 0;
}

int disk_grow(const char *path, uint64_t bytes, struct nook_error *e)
{
	AUTO(arena_free) struct arena *a = arena_new();
	AUTO_VALUE(disk_done) struct disk d = {.file = -EBADF};
	const char *note = NULL;
	int r, noted;

	TRY(check_bytes(path, bytes, e));
	TRY(disk_open_bare(path, &d, a, &note, e));
	if (bytes < (uint64_t)d.st.st_size)
		return err_fmt(e, STEP_DISK, path, EINVAL, "it has %jd bytes already, and nothing is cut off", (intmax_t)d.st.st_size);
	if (d.image.type != FSIMAGE_EXT4 && geteuid() != 0)
		return err_fmt(e, STEP_DISK, path, EPERM, "%s grows while it is mounted, which needs root", fsimage_names[d.image.type]);
	/* Twice, so that no file system grows over what the note was. */
	if ((note && ftruncate(d.file, d.st.st_size) < 0) || ftruncate(d.file, (off_t)bytes) < 0)
		return err_sys(e, STEP_DISK, path);
	r = d.image.type == FSIMAGE_EXT4 ? disk_tools_grow(d.self, path, e) : grow_mounted(&d, bytes, e);
	/* Only if the file system did not grow into it; it cannot be told otherwise. */
	if (r < 0 && fsimage_probe(d.file, path, &d.image, NULL) == 0 && d.image.bytes <= (uint64_t)d.st.st_size)
		(void)ftruncate(d.file, d.st.st_size);
	noted = note ? note_append(d.file, note, path, r < 0 ? NULL : e) : 0;
	return r < 0 ? r : noted;
}

/* ---- compact -------------------------------------------------------------------------------------------------------- */

static int trim_mounted(const struct disk *d, struct nook_error *e)
{
	auto_close int root = TRY(disk_mount(d, e));
	struct fstrim_range all = {.len = UINT64_MAX};

	return ioctl(root, FITRIM, &all) < 0 ? err_sys(e, STEP_DISK, d->path) : 0;
}

int disk_compact(const char *path, uint64_t *ret_freed, struct nook_error *e)
{
	AUTO_VALUE(disk_done) struct disk d = {.file = -EBADF};
	struct stat after;

	TRY(disk_open_writable(path, &d, e));
	if (d.image.type == FSIMAGE_EXT4 && geteuid() != 0)
		TRY(disk_tools_trim(d.self, path, e));
	else
		TRY(trim_mounted(&d, e));
	TRY(sparse_dig(d.file, path, e));
	if (fsync(d.file) < 0 || fstat(d.file, &after) < 0)
		return err_sys(e, STEP_DISK, path);
	*ret_freed = after.st_blocks < d.st.st_blocks ? (uint64_t)(d.st.st_blocks - after.st_blocks) * 512 : 0;
	return 0;
}

/* ---- the rest -------------------------------------------------------------------------------------------------------- */

int disk_check(const char *path, enum disk_repair mode, struct buf *said, struct nook_error *e)
{
	AUTO_VALUE(disk_done) struct disk d = {.file = -EBADF};

	if (mode == DISK_REPAIR)
		TRY(disk_open_writable(path, &d, e));
	else
		TRY(disk_open(path, FSIMAGE_READ_ONLY, &d, e));
	if (!fsimage_is_writable(d.image.type))
		return err_fmt(e, STEP_DISK, path, EROFS, "%s is never written", fsimage_names[d.image.type]);
	return disk_tools_check(d.self, d.image.type, mode, said, e);
}

int disk_remove(const char *path, struct nook_error *e)
{
	auto_close int file = TRY(fsimage_open(path, FSIMAGE_WRITABLE, e));
	struct fsimage image;

	/* rm(1) removes files of any kind. */
	TRY(fsimage_probe(file, path, &image, e));
	return unlink(path) < 0 ? err_sys(e, STEP_DISK, path) : 0;
}

int disk_clear(const char *path, struct nook_error *e)
{
	AUTO(arena_free) struct arena *a = arena_new();
	AUTO_VALUE(disk_done) struct disk d = {.file = -EBADF};
	auto_close int root = -EBADF;
	const char **names;
	size_t n;

	TRY(disk_open_writable(path, &d, e));
	root = TRY(disk_mount(&d, e));
	TRY(names_read(root, ".", a, &names, &n, e));
	for (size_t i = 0; i < n; i++)
		TRY(tree_remove(root, names[i], e));
	return 0;
}
