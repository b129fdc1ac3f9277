/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "runtime/mounts.h"

#include "base/fd.h"
#include "runtime/mapped.h"

#include <limits.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/syscall.h>

/* A hundred thousand mounts of long names; the kernel's own limit (fs.mount-max) is as many. */
enum { MOUNTINFO_MAX = 64 << 20 };

/* Cuts the next word off *LINE. */
static char *take_word(char **line)
{
	char *word = *line + strspn(*line, " ");
	size_t len = strcspn(word, " ");

	*line = word + len + (word[len] != 0);
	word[len] = 0;
	return word;
}

/* The kernel writes space, tab, newline and backslash as \ooo. */
static char *unescape(char *s)
{
	char *to = s;

	for (const char *p = s; *p; to++) {
		if (p[0] == '\\' && p[1] >= '0' && p[1] <= '3' && p[2] >= '0' && p[2] <= '7' && p[3] >= '0' && p[3] <= '7') {
			*to = (char)((p[1] - '0') << 6 | (p[2] - '0') << 3 | (p[3] - '0'));
			p += 4;
		} else {
			*to = *p++;
		}
	}
	*to = 0;
	return s;
}

/* "36 35 98:0 /mnt1 /mnt2 rw,noatime master:1 - ext3 /dev/root rw,errors=continue" (proc(5)) */
static bool parse_line(char *line, struct mount_entry *ret)
{
	char *separator = strstr(line, " - ");
	struct mount_entry m;
	char *rest;

	if (!separator)
		return false;
	*separator = 0;
	rest = separator + 3;
	for (int i = 0; i < 3; i++)
		(void)take_word(&line);
	m.root = unescape(take_word(&line));
	m.target = unescape(take_word(&line));
	m.options = take_word(&line);
	m.propagation = line;
	m.fstype = take_word(&rest);
	m.source = unescape(take_word(&rest));
	m.super_options = take_word(&rest);
	*ret = m;
	return m.target[0] == '/';
}

int mounts_read(int proc, const char *name, struct arena *a, struct mount_entry **ret, size_t *ret_n, struct nook_error *e)
{
	AUTO_VALUE(buf_done) struct buf text = {0};
	struct mount_entry *list = NULL, m;
	char *copy, *line;
	size_t n = 0;

	TRY(file_read(proc, name, MOUNTINFO_MAX, &text, e));
	copy = arena_strndup(a, buf_text(&text), text.len);
	while ((line = strsep(&copy, "\n")))
		if (parse_line(line, &m))
			*arena_push(a, &list, &n) = m;
	*ret = list;
	*ret_n = n;
	return 0;
}

/* The path that mountinfo shows for PATH, without symbolic links; -ENOENT when there is nothing. */
static int real_path(const char *path, char *real, size_t size, struct nook_error *e)
{
	auto_close int fd = open(path, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	char link[32];
	ssize_t n;

	if (fd < 0)
		return errno == ENOENT ? -ENOENT : err_sys(e, STEP_MOUNT, path);
	(void)snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	n = readlink(link, real, size - 1);
	if (n < 0)
		return err_sys(e, STEP_MOUNT, path);
	real[n] = 0;
	return 0;
}

/* umount2(2) of exactly TARGET: what lies below a container's root may have been filled with links by the container. */
static int detach(const char *target, struct nook_error *e)
{
	const struct open_how how = {
		.flags = O_PATH | O_NOFOLLOW | O_CLOEXEC,
		.resolve = RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS,
	};
	auto_close int fd = (int)syscall(SYS_openat2, AT_FDCWD, target, &how, sizeof(how));
	char link[32];

	if (fd < 0)
		return errno == ENOENT ? 0 : err_sys(e, STEP_MOUNT, target);
	(void)snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	/* EINVAL: no mount point any more, somebody else let go of it. */
	if (umount2(link, MNT_DETACH) < 0 && errno != EINVAL)
		return err_sys(e, STEP_MOUNT, target);
	return 0;
}

/* Lets go (MNT_DETACH) of every mount of this mount namespace at or below PATH, the latest first. */
static int detach_below(const char *path, struct nook_error *e)
{
	AUTO(arena_free) struct arena *a = arena_new();
	struct mount_entry *list = NULL;
	char real[PATH_MAX];
	size_t n = 0, len;
	int r = real_path(path, real, sizeof(real), e);

	if (r < 0)
		return r == -ENOENT ? 0 : r;
	TRY(mounts_read(AT_FDCWD, "/proc/self/mountinfo", a, &list, &n, e));
	len = strlen(real);
	while (n--) {
		const char *target = list[n].target;

		if (strncmp(target, real, len) == 0 && (!target[len] || target[len] == '/'))
			TRY(detach(target, e));
	}
	return 0;
}

static int remove_job(const void *path)
{
	return -tree_remove(AT_FDCWD, path, NULL);
}

/* Files that a container of an ordinary user made as another of its users belong to subordinate ids. */
static int remove_mapped(const char *path, struct nook_error *e)
{
	AUTO(arena_free) struct arena *a = arena_new();
	struct idrange range = {0};
	int r = idrange_choose(-EBADF, "", false, a, &range, e);

	if (r == 0)
		r = range.helper ? mapped_run(&range, remove_job, path, e) : EACCES;
	return r > 0 ? err_num(e, STEP_FILE, path, r) : r;
}

static int remove_unmounted(const char *path, struct nook_error *e)
{
	int r = tree_remove(AT_FDCWD, path, e);

	return (r == -EACCES || r == -EPERM) && geteuid() != 0 ? remove_mapped(path, e) : r;
}

int mounts_tree_remove(const char *path, struct nook_error *e)
{
	int r = remove_unmounted(path, e);

	if (r != -EXDEV && r != -EBUSY)
		return r;
	TRY(detach_below(path, e));
	return remove_unmounted(path, e);
}
