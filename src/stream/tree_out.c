/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/cleanup.h"
#include "base/fd.h"
#include "base/text.h"
#include "stream/header.h"
#include "stream/links.h"
#include "stream/tree.h"

#include <dirent.h>
#include <stdio.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>

/* Each level holds a descriptor. */
enum { DEPTH_MAX = 900, CHUNK = 256 << 10, LIST_MAX = 64 << 10, VALUE_MAX = 64 << 10, PIECES_MAX = 16 << 10, HOLES_MIN = 16 << 10 };

struct out {
	int fd;
	unsigned flags;
	dev_t dev;
	struct links links;
	struct entry entry; /* the one that is being written */
	const struct tree_filter *filter;
	struct owners owners;
	enum tree_verdict verdict; /* on that one */
	char *chunk, *list, *value;
	struct entry_piece *pieces; /* PIECES_MAX, and one for the end */
};

static int stream_failed(int r, struct nook_error *e)
{
	return r < 0 ? err_num(e, STEP_FILE, "tar stream", r) : 0;
}

/* ---- one entry -------------------------------------------------------------------------------------------------------- */

bool tree_is_private(const char *name)
{
	return text_after(name, "trusted.overlay.") || text_after(name, "user.overlay.") || text_is(name, "security.selinux");
}

static void get_xattrs(struct out *o, int file)
{
	ssize_t n = flistxattr(file, o->list, LIST_MAX);

	for (ssize_t at = 0; at < n; at += (ssize_t)strlen(o->list + at) + 1) {
		const char *name = o->list + at;
		ssize_t len = tree_is_private(name) ? -1 : fgetxattr(file, name, o->value, VALUE_MAX);
		uint32_t bytes;

		if (len > 0)
			len = (ssize_t)owners_inside_value(&o->owners, name, o->value, (size_t)len);
		bytes = (uint32_t)len;
		if (len < 0 || o->entry.xattrs.len + (size_t)len + 300 > XATTRS_MAX)
			continue;
		buf_add(&o->entry.xattrs, name, strlen(name) + 1);
		buf_add(&o->entry.xattrs, &bytes, sizeof(bytes));
		buf_add(&o->entry.xattrs, o->value, (size_t)len);
	}
}

static void fill_entry(struct out *o, const struct stat *st, const char *as)
{
	struct entry *entry = &o->entry;
	struct stat is = *st;

	entry->mode = st->st_mode;
	entry->hard_link = entry->sparse = false;
	entry->pieces = NULL;
	entry->size = 0;
	owners_inside(&o->owners, &is);
	entry->uid = is.st_uid;
	entry->gid = is.st_gid;
	entry->mtime = st->st_mtim;
	entry->major = entry->minor = 0;
	entry->link[0] = 0;
	entry->xattrs.len = 0;
	(void)snprintf(entry->name, sizeof(entry->name), "%s%s", as, S_ISDIR(st->st_mode) ? "/" : "");
}

/* Exactly SIZE bytes, whatever the file has become meanwhile. */
static int put_bytes(struct out *o, int file, uint64_t size, struct nook_error *e)
{
	for (uint64_t left = size; left;) {
		size_t want = left < CHUNK ? (size_t)left : CHUNK;
		ssize_t n = read(file, o->chunk, want);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return err_sys(e, STEP_FILE, o->entry.name);
		if (n == 0) {
			memset(o->chunk, 0, want);
			n = (ssize_t)want;
		}
		TRY(stream_failed(fd_write(o->fd, o->chunk, (size_t)n), e));
		left -= (uint64_t)n;
	}
	return 0;
}

static int put_data(struct out *o, int file, uint64_t size, struct nook_error *e)
{
	TRY(put_bytes(o, file, size, e));
	return entry_write_padding(o->fd, size, e);
}

/* One more name of what came as FIRST. */
static int put_link(struct out *o, const char *first, struct nook_error *e)
{
	o->entry.hard_link = true;
	(void)snprintf(o->entry.link, sizeof(o->entry.link), "%s", first);
	return entry_write(o->fd, &o->entry, e);
}

/* What FILE has besides holes.  0: it has none that are worth it. */
static size_t find_pieces(struct out *o, int file, uint64_t size)
{
	uint64_t at = 0, data = 0;
	size_t n = 0;

	while (at < size) {
		off_t from = lseek(file, (off_t)at, SEEK_DATA), to;

		if (from < 0 && errno == ENXIO)
			break;
		to = from < 0 ? -1 : lseek(file, from, SEEK_HOLE);
		if (to <= from || n == PIECES_MAX)
			return 0;
		o->pieces[n++] = (struct entry_piece){(uint64_t)from, (uint64_t)((uint64_t)to < size ? to - from : (off_t)size - from)};
		data += o->pieces[n - 1].size;
		at = (uint64_t)to;
	}
	/* The last one ends where the file does: so it is told how long that is. */
	if (!n || o->pieces[n - 1].at + o->pieces[n - 1].size < size)
		o->pieces[n++] = (struct entry_piece){size, 0};
	return size - data >= HOLES_MIN ? n : 0;
}

static int put_pieces(struct out *o, int file, size_t n, struct nook_error *e)
{
	uint64_t all = 0;

	o->entry.pieces = o->pieces;
	o->entry.n_pieces = n;
	TRY(entry_write(o->fd, &o->entry, e));
	for (size_t i = 0; i < n; i++) {
		if (lseek(file, (off_t)o->pieces[i].at, SEEK_SET) < 0)
			return err_sys(e, STEP_FILE, o->entry.name);
		TRY(put_bytes(o, file, o->pieces[i].size, e));
		all += o->pieces[i].size;
	}
	return entry_write_padding(o->fd, all, e);
}

static int put_file(struct out *o, int file, const struct stat *st, const char *as, struct nook_error *e)
{
	size_t pieces = 0;
	const bool is_empty = o->verdict == TREE_EMPTY;
	const char *first = st->st_nlink > 1 && !is_empty ? links_find(&o->links, st, as) : NULL;

	if (first)
		return put_link(o, first, e);
	get_xattrs(o, file);
	if (is_empty)
		return entry_write(o->fd, &o->entry, e);
	o->entry.size = (uint64_t)st->st_size;
	o->entry.sparse = (o->flags & TREE_HOLES) && st->st_blocks * 512 < st->st_size;
	if ((o->flags & TREE_SPARSE) && st->st_blocks * 512 < st->st_size)
		pieces = find_pieces(o, file, o->entry.size);
	if (pieces)
		return put_pieces(o, file, pieces, e);
	if (lseek(file, 0, SEEK_SET) < 0)
		return err_sys(e, STEP_FILE, as);
	TRY(entry_write(o->fd, &o->entry, e));
	return put_data(o, file, (uint64_t)st->st_size, e);
}

#define WHITEOUT ".wh."

/* What this layer hides of those below: an empty file beside it, or in a directory for all that it held. */
static int put_whiteout(struct out *o, const char *as, const char *hidden, struct nook_error *e)
{
	const char *slash = hidden ? NULL : strrchr(as, '/');
	const char *last = hidden ? hidden : slash ? slash + 1 : as;
	const int folder = hidden ? (int)strlen(as) : slash ? (int)(slash - as) : 0;
	int n = snprintf(o->entry.name, sizeof(o->entry.name), "%.*s%s" WHITEOUT "%s", folder, as, folder ? "/" : "", last);

	if (n >= (int)sizeof(o->entry.name) || strlen(last) + strlen(WHITEOUT) > NAME_MAX)
		return err_num(e, STEP_FILE, as, ENAMETOOLONG);
	o->entry.mode = S_IFREG | 0600;
	o->entry.size = 0;
	o->entry.xattrs.len = 0;
	return entry_write(o->fd, &o->entry, e);
}

static bool may_hide(const struct out *o)
{
	return (o->flags & (TREE_LAYER | TREE_LOWEST)) == TREE_LAYER;
}

/* An overlay knows no device of these numbers. */
static bool is_whiteout(const struct stat *st)
{
	return S_ISCHR(st->st_mode) && st->st_rdev == 0;
}

static bool is_opaque(int folder)
{
	char value = 0;

	return (fgetxattr(folder, "trusted.overlay.opaque", &value, 1) == 1 && value == 'y') ||
		(fgetxattr(folder, "user.overlay.opaque", &value, 1) == 1 && value == 'y');
}

static int put_other(struct out *o, int dir, const char *name, const struct stat *st, const char *as, struct nook_error *e)
{
	auto_close int file = -EBADF;
	ssize_t n;

	if (S_ISSOCK(st->st_mode))
		return 0;
	if ((o->flags & TREE_LAYER) && is_whiteout(st))
		return put_whiteout(o, as, NULL, e);
	if (st->st_nlink > 1) {
		const char *first = links_find(&o->links, st, as);
		const bool is_node = S_ISCHR(st->st_mode) || S_ISBLK(st->st_mode);

		/* An ordinary copy has no nodes, and so no other names of one. */
		if (first && is_node && !(o->flags & (TREE_LAYER | TREE_SPARSE | TREE_HOLES)))
			return 0;
		if (first)
			return put_link(o, first, e);
	}
	if (S_ISLNK(st->st_mode)) {
		n = readlinkat(dir, name, o->entry.link, sizeof(o->entry.link) - 1);
		if (n < 0)
			return errno == ENOENT || errno == EINVAL ? 0 : err_sys(e, STEP_FILE, as);
		o->entry.link[n] = 0;
	} else if (!S_ISFIFO(st->st_mode)) {
		o->entry.major = major(st->st_rdev);
		o->entry.minor = minor(st->st_rdev);
	}
	return entry_write(o->fd, &o->entry, e);
}

/* ---- the tree ---------------------------------------------------------------------------------------------------------- */

static int put_entry(struct out *o, int dir, const char *name, const char *as, unsigned depth, struct nook_error *e); /* a tree */

static int put_children(struct out *o, int folder, const char *as, unsigned depth, struct nook_error *e)
{
	int copy = openat(folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC), r = 0;
	DIR *stream = copy < 0 ? NULL : fdopendir(copy);
	struct dirent *d;

	if (!stream)
		return err_sys(e, STEP_FILE, as);
	while (r >= 0 && (d = readdir(stream))) {
		char path[PATH_MAX];

		if (text_is(d->d_name, ".") || text_is(d->d_name, ".."))
			continue;
		/* In a layer such a name would hide something. */
		if ((o->flags & TREE_LAYER) && text_after(d->d_name, WHITEOUT))
			continue;
		if (snprintf(path, sizeof(path), "%s%s%s", as, *as ? "/" : "", d->d_name) >= PATH_MAX - 2)
			r = err_num(e, STEP_FILE, as, ENAMETOOLONG);
		else
			r = put_entry(o, folder, d->d_name, path, depth + 1, e);
	}
	(void)closedir(stream);
	return r;
}

static int put_missing(struct out *o, const char *as, struct nook_error *e)
{
	const char *name;
	size_t at = 0;

	while ((name = o->filter->missing(o->filter->data, as, &at)))
		TRY(put_whiteout(o, as, name, e));
	return 0;
}

static int put_folder(struct out *o, int folder, const char *as, unsigned depth, struct nook_error *e)
{
	if (depth > DEPTH_MAX)
		return err_why(e, STEP_FILE, as, ELOOP, "directories are nested too deep");
	if (o->verdict != TREE_LEAVE_OUT && (*as || (o->flags & (TREE_LAYER | TREE_TOP)))) {
		if (!*as)
			(void)stpcpy(o->entry.name, "./");
		get_xattrs(o, folder);
		TRY(entry_write(o->fd, &o->entry, e));
	}
	if (may_hide(o) && is_opaque(folder))
		TRY(put_whiteout(o, as, WHITEOUT ".opq", e));
	if (o->filter && o->filter->missing)
		TRY(put_missing(o, as, e));
	return put_children(o, folder, as, depth, e);
}

static int put_opened(struct out *o, int file, const char *as, unsigned depth, struct nook_error *e)
{
	struct stat st;

	if (fstat(file, &st) < 0)
		return err_sys(e, STEP_FILE, as);
	if (!S_ISREG(st.st_mode) && !S_ISDIR(st.st_mode))
		return 0;
	fill_entry(o, &st, as);
	if (S_ISREG(st.st_mode))
		return put_file(o, file, &st, as, e);
	if (!depth)
		o->dev = st.st_dev;
	if ((o->flags & TREE_ONE_FS) && st.st_dev != o->dev)
		return entry_write(o->fd, &o->entry, e);
	return put_folder(o, file, as, depth, e);
}

/* Opened first and looked at through the descriptor; a name that has become something else or is gone is left out. */
static int put_entry(struct out *o, int dir, const char *name, const char *as, unsigned depth, struct nook_error *e)
{
	auto_close int file = -EBADF;
	struct stat st;

	if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return depth && errno == ENOENT ? 0 : err_sys(e, STEP_FILE, as);
	if ((o->flags & TREE_ONE_FS) && depth && st.st_dev != o->dev && !S_ISDIR(st.st_mode))
		return 0;
	if ((o->flags & TREE_LOWEST) && is_whiteout(&st))
		return 0;
	o->verdict = o->filter && depth ? o->filter->judge(o->filter->data, as, &st) : TREE_TAKE;
	if (o->verdict == TREE_LEAVE_OUT && !S_ISDIR(st.st_mode))
		return 0;
	fill_entry(o, &st, as);
	if (!S_ISREG(st.st_mode) && !S_ISDIR(st.st_mode))
		return put_other(o, dir, name, &st, as, e);
	file = openat(dir, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC | (S_ISDIR(st.st_mode) ? O_DIRECTORY : 0));
	if (file < 0)
		return depth && (errno == ENOENT || errno == ELOOP || errno == ENOTDIR || errno == ENXIO) ? 0 : err_sys(e, STEP_FILE, as);
	return put_opened(o, file, as, depth, e);
}

int tree_write_some(int dir, const char *name, const char *as, unsigned flags, const struct tree_filter *filter, int fd,
	struct nook_error *e)
{
	struct out *o = xcalloc(1, sizeof(*o));
	int r;

	o->fd = fd;
	o->flags = flags;
	o->filter = filter;
	if (filter)
		o->owners = filter->owners;
	o->chunk = xcalloc(1, CHUNK);
	o->list = xcalloc(1, LIST_MAX);
	o->value = xcalloc(1, VALUE_MAX);
	o->pieces = flags & TREE_SPARSE ? xcalloc(PIECES_MAX + 1, sizeof(*o->pieces)) : NULL;
	r = name ? put_entry(o, dir, name, as, 0, e) : put_opened(o, dir, as, 0, e);
	if (r >= 0)
		r = entry_write_end(fd, e);
	links_done(&o->links);
	entry_done(&o->entry);
	free(o->chunk);
	free(o->list);
	free(o->value);
	free(o->pieces);
	free(o);
	return r < 0 ? r : 0;
}

int tree_write(int dir, const char *name, const char *as, unsigned flags, int fd, struct nook_error *e)
{
	return tree_write_some(dir, name, as, flags, NULL, fd, e);
}
