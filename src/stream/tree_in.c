/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/alloc.h"
#include "base/cleanup.h"
#include "base/fd.h"
#include "base/text.h"
#include "stream/header.h"
#include "stream/tree.h"
#include "sys/openat2.h"

#include <stdio.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>

enum { CHUNK = 256 << 10, HOLE_MIN = 4096, DEPTH_MAX = 2048 };

/* Directories get mode, owner and time when all that belongs in them is there. */
struct folder {
	const char *path;
	mode_t mode;
	uint32_t uid, gid;
	struct timespec mtime;
};

struct in {
	struct tree_in *how;
	int fd;
	char *chunk;
	char path[PATH_MAX]; /* where the entry goes, below how->root */
	struct arena *arena;
	struct folder *folders;
	size_t n_folders;
	struct folder top; /* path NULL: ROOT stays as it is */
};

static uint64_t resolve_of(const struct in *in)
{
	return RESOLVE_NO_MAGICLINKS | (in->how->links_inside ? RESOLVE_IN_ROOT : RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS);
}

/* ---- names ------------------------------------------------------------------------------------------------------------ */

/* "a//./b/" is a/b; ".." is refused.  1: it is the directory itself. */
static int clean_name(const char *name, char *to, size_t size, struct nook_error *e)
{
	size_t len = 0, depth = 0;

	while (*name) {
		size_t n = strcspn(name, "/");

		if (n == 2 && name[0] == '.' && name[1] == '.')
			return err_why(e, STEP_UNPACK, name, EINVAL, "a name with \"..\" in it is refused");
		if (n > NAME_MAX || ++depth > DEPTH_MAX)
			return err_num(e, STEP_UNPACK, name, ENAMETOOLONG);
		if (n && !(n == 1 && name[0] == '.')) {
			if (len + n + 2 > size)
				return err_num(e, STEP_UNPACK, name, ENAMETOOLONG);
			if (len)
				to[len++] = '/';
			memcpy(to + len, name, n);
			len += n;
		}
		name += n + (name[n] == '/');
	}
	to[len] = 0;
	return len == 0;
}

/* The directory that NAME (clean) lies in, made where it is missing: a descriptor, and the last component. */
static int open_parent(const struct in *in, const char *name, const char **ret_last, struct nook_error *e)
{
	const char *slash = strrchr(name, '/');
	char folder[PATH_MAX];
	int fd;

	*ret_last = slash ? slash + 1 : name;
	(void)snprintf(folder, sizeof(folder), "%.*s", slash ? (int)(slash - name) : 1, slash ? name : ".");
	fd = openat2_raw(in->how->root, folder, O_PATH | O_DIRECTORY, 0, resolve_of(in));
	if (fd == -ENOENT && slash) {
		const char *last;
		auto_close int above = TRY(open_parent(in, folder, &last, e));

		if (mkdirat(above, last, 0755) < 0 && errno != EEXIST)
			return err_sys(e, STEP_UNPACK, folder);
		fd = openat2_raw(in->how->root, folder, O_PATH | O_DIRECTORY, 0, resolve_of(in));
	}
	if (fd == -ELOOP)
		return err_why(e, STEP_UNPACK, folder, ELOOP, "there is a symbolic link in the way");
	return fd < 0 ? err_num(e, STEP_UNPACK, folder, fd) : fd;
}

/* ---- what is made ------------------------------------------------------------------------------------------------------ */

static int set_meta(const struct in *in, int parent, const char *last, const struct entry *entry, struct nook_error *e)
{
	const struct timespec times[2] = {{.tv_nsec = UTIME_NOW}, entry->mtime};
	mode_t kept = in->how->keep_owner ? 07777 : 0777;

	if (in->how->keep_owner && fchownat(parent, last, entry->uid, entry->gid, AT_SYMLINK_NOFOLLOW) < 0)
		return err_sys(e, STEP_UNPACK, in->path);
	if (!S_ISLNK(entry->mode)) {
		/* Not through a link that has just been put there: what is opened is what is changed. */
		auto_close int fd = openat(parent, last, O_PATH | O_NOFOLLOW | O_CLOEXEC);
		char self[32];
		struct stat st;

		if (fd < 0 || fstat(fd, &st) < 0)
			return err_sys(e, STEP_UNPACK, in->path);
		(void)snprintf(self, sizeof(self), "/proc/self/fd/%d", fd);
		if ((st.st_mode & S_IFMT) == (entry->mode & S_IFMT) && chmod(self, entry->mode & kept) < 0)
			return err_sys(e, STEP_UNPACK, in->path);
	}
	if (utimensat(parent, last, times, AT_SYMLINK_NOFOLLOW) < 0)
		return err_sys(e, STEP_UNPACK, in->path);
	return 0;
}

/* What the file system or the caller's rights do not allow is left out, as cp -a does. */
static int set_xattrs(const struct in *in, int file, const struct entry *entry, struct nook_error *e)
{
	for (size_t at = 0; in->how->keep_owner && at < entry->xattrs.len;) {
		const char *name = entry->xattrs.data + at;
		uint32_t len;

		at += strlen(name) + 1;
		memcpy(&len, entry->xattrs.data + at, sizeof(len));
		at += sizeof(len);
		if (fsetxattr(file, name, entry->xattrs.data + at, len, 0) < 0 && errno != EOPNOTSUPP && errno != EPERM)
			return err_sys(e, STEP_UNPACK, in->path);
		at += len;
	}
	return 0;
}

static bool is_all_zero(const char *data, size_t len)
{
	return len && data[0] == 0 && memcmp(data, data + 1, len - 1) == 0;
}

/* Zeros of a sparse file are jumped over. */
static int put_chunk(int file, const char *data, size_t len, bool sparse, uint64_t *at)
{
	for (size_t i = 0; i < len;) {
		size_t n = sparse && len - i > HOLE_MIN ? HOLE_MIN : len - i;

		if (!sparse || !is_all_zero(data + i, n)) {
			ssize_t written = pwrite(file, data + i, n, (off_t)*at);

			if (written < 0)
				return -errno;
			n = (size_t)written;
		}
		i += n;
		*at += n;
	}
	return 0;
}

static int take_data(const struct in *in, int file, const struct entry *entry, struct nook_error *e)
{
	uint64_t at = 0;

	for (uint64_t left = entry_padded(entry->size); left;) {
		size_t want = left < CHUNK ? (size_t)left : CHUNK;
		ssize_t n = fd_read(in->fd, in->chunk, want);
		size_t data;
		int r;

		if (n < 0)
			return err_num(e, STEP_FILE, "tar stream", (int)n);
		if ((size_t)n != want)
			return err_why(e, STEP_UNPACK, in->path, EINVAL, "the archive ends in the middle of it");
		data = entry->size - at < want ? (size_t)(entry->size - at) : want;
		r = file >= 0 ? put_chunk(file, in->chunk, data, entry->sparse, &at) : 0;
		if (r < 0)
			return err_num(e, STEP_UNPACK, in->path, r);
		if (file < 0)
			at += data;
		left -= want;
	}
	if (file >= 0 && ftruncate(file, (off_t)entry->size) < 0)
		return err_sys(e, STEP_UNPACK, in->path);
	return 0;
}

/* Takes away what is in the way, unless it is a directory. */
static int clear_name(const struct in *in, int parent, const char *last, struct nook_error *e)
{
	if (unlinkat(parent, last, 0) == 0 || errno == ENOENT)
		return 0;
	if (errno == EISDIR)
		return err_why(e, STEP_UNPACK, in->path, EISDIR, "a directory is in the way, and no file replaces it");
	return err_sys(e, STEP_UNPACK, in->path);
}

static int make_file(const struct in *in, int parent, const char *last, const struct entry *entry, struct nook_error *e)
{
	auto_close int file = -EBADF;

	TRY(clear_name(in, parent, last, e));
	file = openat(parent, last, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (file < 0)
		return err_sys(e, STEP_UNPACK, in->path);
	TRY(take_data(in, file, entry, e));
	TRY(set_meta(in, parent, last, entry, e));
	return set_xattrs(in, file, entry, e);
}

static int make_folder(struct in *in, int parent, const char *last, const struct entry *entry, struct nook_error *e)
{
	auto_close int there = -EBADF;

	if (mkdirat(parent, last, 0700) == 0) {
		there = openat(parent, last, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		if (there >= 0)
			TRY(set_xattrs(in, there, entry, e));
		*arena_push(in->arena, &in->folders, &in->n_folders) = (struct folder){
			arena_strdup(in->arena, in->path), entry->mode, entry->uid, entry->gid, entry->mtime};
		return 0;
	}
	if (errno != EEXIST)
		return err_sys(e, STEP_UNPACK, in->path);
	/* One that is there is filled and stays as it is; a link to one, too, where links lead on. */
	there = openat2_raw(in->how->root, in->path, O_PATH | O_DIRECTORY, 0, resolve_of(in));
	if (there == -ENOTDIR || there == -ELOOP)
		return err_why(e, STEP_UNPACK, in->path, ENOTDIR, "something is in the way that is no directory");
	return there < 0 ? err_num(e, STEP_UNPACK, in->path, there) : 0;
}

static int finish_folders(struct in *in, struct entry *entry, struct nook_error *e)
{
	for (size_t i = in->n_folders; i > 0; i--) {
		const struct folder *f = &in->folders[i - 1];
		const char *last;

		(void)snprintf(in->path, sizeof(in->path), "%s", f->path);
		auto_close int parent = TRY(open_parent(in, in->path, &last, e));

		entry->mode = f->mode;
		entry->uid = f->uid;
		entry->gid = f->gid;
		entry->mtime = f->mtime;
		TRY(set_meta(in, parent, last, entry, e));
	}
	return 0;
}

static int finish_top(struct in *in, struct entry *entry, struct nook_error *e)
{
	if (!in->top.path)
		return 0;
	(void)snprintf(in->path, sizeof(in->path), "/");
	entry->mode = in->top.mode;
	entry->uid = in->top.uid;
	entry->gid = in->top.gid;
	entry->mtime = in->top.mtime;
	return set_meta(in, in->how->root, ".", entry, e);
}

/* Where the entry of this (clean) name goes. */
static int place_name(const struct in *in, const char *name, char *to, size_t size, struct nook_error *e)
{
	const char *slash = strchr(name, '/'), *rest = slash ? slash : "";
	const char *top = in->how->top;
	int n;

	if (!top)
		n = snprintf(to, size, "%s%s", in->how->prefix, name);
	else if (!*top)
		n = snprintf(to, size, "%s%s", in->how->prefix, *rest ? rest + 1 : "");
	else
		n = snprintf(to, size, "%s%s%s", in->how->prefix, top, rest);
	return n >= (int)size - 1 ? err_num(e, STEP_UNPACK, name, ENAMETOOLONG) : 0;
}

static int make_link(const struct in *in, int parent, const char *last, const struct entry *entry, struct nook_error *e)
{
	char name[PATH_MAX], path[PATH_MAX];
	const char *first;

	if (TRY(clean_name(entry->link, name, sizeof(name), e)))
		return err_why(e, STEP_UNPACK, in->path, EINVAL, "it is a hard link to nothing");
	TRY(place_name(in, name, path, sizeof(path), e));
	auto_close int from = TRY(open_parent(in, path, &first, e));

	TRY(clear_name(in, parent, last, e));
	return linkat(from, first, parent, last, 0) < 0 ? err_sys(e, STEP_UNPACK, in->path) : 0;
}

static int make_other(const struct in *in, int parent, const char *last, const struct entry *entry, struct nook_error *e)
{
	int r;

	TRY(clear_name(in, parent, last, e));
	if (S_ISLNK(entry->mode))
		r = symlinkat(entry->link, parent, last);
	else
		r = mknodat(parent, last, (entry->mode & S_IFMT) | 0600, makedev(entry->major, entry->minor));
	if (r < 0)
		return err_sys(e, STEP_UNPACK, in->path);
	return set_meta(in, parent, last, entry, e);
}

static int take_entry(struct in *in, const struct entry *entry, struct nook_error *e)
{
	char name[PATH_MAX];
	const char *last;
	bool is_nameless = TRY(clean_name(entry->name, name, sizeof(name), e)) == 1;
	bool has_data = S_ISREG(entry->mode) && !entry->hard_link;

	if (in->how->decide) {
		TRY(in->how->decide(in->how, S_ISDIR(entry->mode), e));
		in->how->decide = NULL;
	}
	TRY(place_name(in, name, in->path, sizeof(in->path), e));
	if (is_nameless && S_ISDIR(entry->mode) && in->how->keep_top)
		in->top = (struct folder){".", entry->mode, entry->uid, entry->gid, entry->mtime};
	if (is_nameless || text_is(in->path, in->how->prefix))
		return S_ISDIR(entry->mode) ? 0 : err_why(e, STEP_UNPACK, entry->name, EINVAL, "only a directory has this name");
	auto_close int parent = TRY(open_parent(in, in->path, &last, e));

	/* Nodes are for who makes systems: an ordinary copy has none. */
	if ((S_ISCHR(entry->mode) || S_ISBLK(entry->mode)) && !in->how->keep_owner)
		return 0;
	if (has_data)
		return make_file(in, parent, last, entry, e);
	if (S_ISDIR(entry->mode))
		return make_folder(in, parent, last, entry, e);
	return entry->hard_link ? make_link(in, parent, last, entry, e) : make_other(in, parent, last, entry, e);
}

/* What stands behind the end, which the writer may still be about to write. */
static int drain(const struct in *in, struct nook_error *e)
{
	ssize_t n;

	while ((n = fd_read(in->fd, in->chunk, CHUNK)) > 0)
		;
	return n < 0 ? err_num(e, STEP_FILE, "tar stream", (int)n) : 0;
}

int tree_read(struct tree_in *how, int fd, struct nook_error *e)
{
	struct in *in = xcalloc(1, sizeof(*in));
	struct entry *entry = xcalloc(1, sizeof(*entry));
	int r;

	in->how = how;
	in->fd = fd;
	in->chunk = xcalloc(1, CHUNK);
	in->arena = arena_new();
	do {
		r = entry_read(fd, entry, e);
		if (r > 0) {
			int taken = take_entry(in, entry, e);

			r = taken < 0 ? taken : r;
		}
	} while (r > 0);
	if (r == 0)
		r = finish_folders(in, entry, e);
	if (r == 0)
		r = finish_top(in, entry, e);
	if (r == 0)
		r = drain(in, e);
	entry_done(entry);
	arena_free(in->arena);
	free(entry);
	free(in->chunk);
	free(in);
	return r;
}
