/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "box/changes.h"

#include "base/alloc.h"
#include "base/text.h"
#include "sys/openat2.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sys/xattr.h>
#include <unistd.h>

enum { ATTRIBUTES_MAX = 64 << 10, CHUNK = 1 << 20, SET_ID = S_ISUID | S_ISGID };

/* ---- attributes ---------------------------------------------------------------------------------------------------- */

static bool is_ours(const char *attribute)
{
	return text_after(attribute, "user.") && !text_after(attribute, "user.overlay.");
}

/* Attributes that are compared and brought back: user.* but for those of overlayfs.  *RET is xcalloc()ed "name\0name\0". */
static int attributes_list(int fd, char **ret, size_t *ret_len)
{
	auto_free char *all = xcalloc(1, ATTRIBUTES_MAX + 1);
	auto_free char *kept = xcalloc(1, ATTRIBUTES_MAX + 1);
	ssize_t n = flistxattr(fd, all, ATTRIBUTES_MAX);
	char *to = kept;

	if (n < 0 && errno != ENOTSUP && errno != EPERM)
		return -errno;
	for (const char *name = all; n > 0 && name < all + n; name += strlen(name) + 1)
		if (is_ours(name))
			to = stpcpy(to, name) + 1;
	*ret_len = (size_t)(to - kept);
	*ret = take_ptr(&kept);
	return 0;
}

/* The value of one: its size, or -errno. */
static ssize_t attribute_get(int fd, const char *name, char **ret)
{
	auto_free char *value = xcalloc(1, ATTRIBUTES_MAX);
	ssize_t n = fgetxattr(fd, name, value, ATTRIBUTES_MAX);

	if (n < 0)
		return -errno;
	*ret = take_ptr(&value);
	return n;
}

/* Has B all that A has, with the same values? */
static bool has_all(int a, int b)
{
	auto_free char *names = NULL;
	size_t len = 0;

	if (attributes_list(a, &names, &len) < 0)
		return false;
	for (const char *name = names; name < names + len; name += strlen(name) + 1) {
		auto_free char *one = NULL;
		auto_free char *two = NULL;
		ssize_t n = attribute_get(a, name, &one);

		if (n < 0 || attribute_get(b, name, &two) != n || !one || !two || memcmp(one, two, (size_t)n) != 0)
			return false;
	}
	return true;
}

bool attributes_are_equal(int a, int b)
{
	return has_all(a, b) && has_all(b, a);
}

static int attributes_bring(int from, int to, const char *object, struct nook_error *e)
{
	auto_free char *names = NULL;
	auto_free char *old = NULL;
	size_t len = 0, old_len = 0;
	int r = attributes_list(from, &names, &len);

	if (r == 0)
		r = attributes_list(to, &old, &old_len);
	if (r < 0)
		return err_num(e, STEP_FILE, object, r);
	for (const char *name = old; name < old + old_len; name += strlen(name) + 1)
		(void)fremovexattr(to, name); /* what stays is set again */
	for (const char *name = names; name < names + len; name += strlen(name) + 1) {
		auto_free char *value = NULL;
		ssize_t n = attribute_get(from, name, &value);

		if (n < 0)
			return err_num(e, STEP_FILE, object, (int)n);
		if (fsetxattr(to, name, value, (size_t)n, 0) < 0)
			return err_sys(e, STEP_FILE, object);
	}
	return 0;
}

/* ---- metadata ------------------------------------------------------------------------------------------------------- */

mode_t bring_mode(const struct stat *now, const struct stat *had)
{
	bool same = had && (had->st_mode & S_IFMT) == (now->st_mode & S_IFMT);

	return (now->st_mode & 01777) | (same ? now->st_mode & had->st_mode & SET_ID : 0);
}

static int own(int to, const struct stat *now, const char *object, struct nook_error *e)
{
	struct stat st;

	if (fstat(to, &st) < 0)
		return err_sys(e, STEP_FILE, object);
	if ((st.st_uid != now->st_uid || st.st_gid != now->st_gid) && fchown(to, now->st_uid, now->st_gid) < 0)
		return err_sys(e, STEP_FILE, object);
	return 0;
}

int bring_dir_meta(int now, int to, const struct stat *had, const char *name, struct nook_error *e)
{
	struct stat st;

	if (fstat(now, &st) < 0)
		return err_sys(e, STEP_FILE, name);
	TRY(own(to, &st, name, e));
	TRY(attributes_bring(now, to, name, e));
	return fchmod(to, bring_mode(&st, had)) < 0 ? err_sys(e, STEP_FILE, name) : 0;
}

/* ---- files ---------------------------------------------------------------------------------------------------------- */

enum { TEMP_SIZE = 32 };

static int temp_name(char *ret, struct nook_error *e)
{
	uint64_t id;

	if (getrandom(&id, sizeof(id), 0) != sizeof(id))
		return err_sys(e, STEP_FILE, "random");
	(void)snprintf(ret, TEMP_SIZE, ".nook-%016llx", (unsigned long long)id);
	return 0;
}

/* From FROM up to END, which copy_file_range(2) may do without reading. */
static int copy_piece(int in, int out, off_t from, off_t end)
{
	off_t to = from;

	while (from < end) {
		ssize_t n = copy_file_range(in, &from, out, &to, (size_t)(end - from < CHUNK ? end - from : CHUNK), 0);

		if (n == 0)
			return 0;
		if (n > 0)
			continue;
		if (errno != EXDEV && errno != EINVAL && errno != ENOSYS && errno != EOPNOTSUPP)
			return -errno;
		char block[16 << 10];

		n = pread(in, block, end - from < (off_t)sizeof(block) ? (size_t)(end - from) : sizeof(block), from);
		if (n <= 0)
			return n < 0 ? -errno : 0;
		if (pwrite(out, block, (size_t)n, to) != n)
			return errno ? -errno : -EIO;
		from += n;
		to += n;
	}
	return 0;
}

/* Holes stay holes: a file may claim to be larger than any disk. */
static int copy_content(int in, int out, off_t size)
{
	if (ftruncate(out, size) < 0)
		return -errno;
	for (off_t at = 0; at < size;) {
		off_t data = lseek(in, at, SEEK_DATA), hole;

		if (data < 0)
			return errno == ENXIO ? 0 : -errno;
		hole = lseek(in, data, SEEK_HOLE);
		if (hole < 0)
			return -errno;
		TRY(copy_piece(in, out, data, hole));
		at = hole;
	}
	return 0;
}

static int fill(int in, int out, const struct stat *now, const struct stat *had, const char *name, struct nook_error *e)
{
	const struct timespec times[2] = {now->st_atim, now->st_mtim};
	int r = copy_content(in, out, now->st_size);

	if (r < 0)
		return err_num(e, STEP_FILE, name, r);
	TRY(own(out, now, name, e));
	TRY(attributes_bring(in, out, name, e));
	/* After the owner, whose change clears set-id bits. */
	if (fchmod(out, bring_mode(now, had)) < 0 || futimens(out, times) < 0)
		return err_sys(e, STEP_FILE, name);
	return 0;
}

int bring_file(int from, int to, const char *name, const struct stat *had, struct nook_error *e)
{
	auto_close int in = openat(from, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	char temp[TEMP_SIZE];
	struct stat now;
	int r;

	if (in < 0 || fstat(in, &now) < 0)
		return err_sys(e, STEP_FILE, name);
	if (!S_ISREG(now.st_mode))
		return err_why(e, STEP_FILE, name, EINVAL, "it was a file a moment ago");
	TRY(temp_name(temp, e));
	auto_close int out = openat(to, temp, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);

	if (out < 0)
		return err_sys(e, STEP_FILE, name);
	r = fill(in, out, &now, had, name, e);
	if (r == 0 && renameat(to, temp, to, name) < 0)
		r = err_sys(e, STEP_FILE, name);
	if (r < 0)
		(void)unlinkat(to, temp, 0);
	return r;
}

int bring_link(int to, const char *name, const char *text, struct nook_error *e)
{
	char temp[TEMP_SIZE];
	int r;

	TRY(temp_name(temp, e));
	if (symlinkat(text, to, temp) < 0)
		return err_sys(e, STEP_FILE, name);
	r = renameat(to, temp, to, name) < 0 ? err_sys(e, STEP_FILE, name) : 0;
	if (r < 0)
		(void)unlinkat(to, temp, 0);
	return r;
}

/* ---- directories ---------------------------------------------------------------------------------------------------- */

int bring_open_dir(int to, const char *name)
{
	return openat2_raw(to, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, 0,
		RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS | RESOLVE_NO_XDEV);
}

int bring_dir(int to, const char *name, struct nook_error *e)
{
	int fd;

	if (mkdirat(to, name, 0700) < 0 && errno != EEXIST)
		return err_sys(e, STEP_FILE, name);
	fd = bring_open_dir(to, name);
	return fd < 0 ? err_num(e, STEP_FILE, name, fd) : fd;
}
