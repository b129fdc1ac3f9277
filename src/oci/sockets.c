/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "oci/sockets.h"

#include "base/fd.h"
#include "sys/ns.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>

/* The directory of PATH, and its last component in *ret_name. */
static int open_parent(const char *path, const char **ret_name)
{
	const char *slash = strrchr(path, '/');
	char dir[PATH_MAX];
	size_t len = slash ? (size_t)(slash - path) : 0;

	*ret_name = slash ? slash + 1 : path;
	if (len >= sizeof(dir))
		return -ENAMETOOLONG;
	memcpy(dir, path, len);
	dir[len] = 0;
	int fd = open(!slash ? "." : len ? dir : "/", O_PATH | O_DIRECTORY | O_CLOEXEC);

	return fd < 0 ? -errno : fd;
}

enum { UID_OVERFLOW = 65534 }; /* of an id that has no mapping */

/* As long as it takes, no more: the container's lock is held meanwhile. */
static const struct timeval patience = {.tv_sec = 10};

/* A stream connection to PATH, which may be longer than a socket address can hold. */
static int connect_to(const char *path, enum step_id step, struct nook_error *e)
{
	auto_close int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	const char *name;
	auto_close int dir = open_parent(path, &name);
	int len;

	if (fd < 0)
		return err_sys(e, step, path);
	if (dir < 0)
		return err_num(e, step, path, dir);
	len = snprintf(address.sun_path, sizeof(address.sun_path), "/proc/self/fd/%d/%s", dir, name);
	if (len >= (int)sizeof(address.sun_path))
		return err_num(e, step, path, ENAMETOOLONG);
	if (setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience)) < 0)
		return err_sys(e, step, path);
	if (connect(fd, (const struct sockaddr *)&address, sizeof(address)) < 0)
		return errno == EAGAIN ? err_why(e, step, path, ETIMEDOUT, "nobody there takes the call") : err_sys(e, step, path);
	return take_fd(&fd);
}

static int send_fd(enum step_id step, const char *path, int fd, const char *name, struct nook_error *e)
{
	auto_close int sock = TRY(connect_to(path, step, e));
	struct iovec iov = {(void *)(uintptr_t)name, strlen(name)};
	_Alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof(int))] = {0};
	struct msghdr m = {.msg_iov = &iov, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof(control)};
	struct cmsghdr *c = (struct cmsghdr *)control;

	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(c), &fd, sizeof(int));
	while (sendmsg(sock, &m, MSG_NOSIGNAL) < 0)
		if (errno != EINTR)
			return err_sys(e, step, path);
	return 0;
}

int oci_send_fd(const char *path, int fd, const char *name, struct nook_error *e)
{
	return send_fd(STEP_CONSOLE, path, fd, name, e);
}

int oci_send_listener(const char *path, int listener, const char *text, struct nook_error *e)
{
	return send_fd(STEP_SECCOMP, path, listener, text, e);
}

int oci_check_socket(const char *path, const char *member, struct nook_error *e)
{
	struct stat st;

	if (stat(path, &st) < 0)
		return err_fmt(e, STEP_CONFIG, member, errno, "nobody listens at %s", path);
	return S_ISSOCK(st.st_mode) ? 0 : err_fmt(e, STEP_CONFIG, member, ENOTSOCK, "%s is no socket", path);
}

/* Nobody who could gain by it.  In a user namespace the machine's root is nobody, too. */
static bool is_trusted(uid_t uid)
{
	return uid == 0 || uid == geteuid() || (uid == UID_OVERFLOW && ns_is_first_user(NULL) == 0);
}

/* May NAME in DIR, of which ST tells that it is a link, lead anywhere?  Not when somebody else has made it or can put
 * another in its place. */
static bool is_own_link(int dir, const struct stat *st)
{
	struct stat d;

	return is_trusted(st->st_uid) && fstat(dir, &d) == 0 && is_trusted(d.st_uid) &&
		(!(d.st_mode & (S_IWGRP | S_IWOTH)) || d.st_mode & S_ISVTX);
}

int oci_open_file(const char *path, int flags, mode_t mode)
{
	auto_close int fd = open(path, flags | O_NOFOLLOW | O_CLOEXEC, mode), dir = -EBADF;
	const char *name;
	struct stat st;

	if (fd >= 0 || errno != ELOOP)
		return fd < 0 ? -errno : take_fd(&fd);
	dir = open_parent(path, &name);
	if (dir < 0 || fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return dir < 0 ? dir : -errno;
	if (S_ISLNK(st.st_mode) && !is_own_link(dir, &st))
		return -ELOOP;
	fd = openat(dir, name, flags | O_CLOEXEC, mode);
	return fd < 0 ? -errno : take_fd(&fd);
}

/* Is NAME in DIR a pipe or a device, to be opened with *RET_FLAGS?  As root, a rename would put a file in place of
 * /dev/null. */
static bool is_special(int dir, const char *name, int *ret_flags)
{
	struct stat st;

	*ret_flags = O_NOFOLLOW;
	if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return false;
	if (S_ISLNK(st.st_mode)) {
		if (!is_own_link(dir, &st) || fstatat(dir, name, &st, 0) < 0)
			return false;
		*ret_flags = 0;
	}
	return !S_ISREG(st.st_mode);
}

int oci_write_pid(const char *path, pid_t pid, struct nook_error *e)
{
	const char *name;
	auto_close int dir = open_parent(path, &name);
	char text[16];
	int len = snprintf(text, sizeof(text), "%d", (int)pid), flags, r;

	if (dir < 0)
		return err_num(e, STEP_FILE, path, dir);
	if (is_special(dir, name, &flags)) {
		auto_close int fd = openat(dir, name, O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC | flags);

		r = fd < 0 ? -errno : fd_write(fd, text, (size_t)len);
	} else {
		r = file_replace(dir, name, text, (size_t)len, 0644, FILE_NO_SYNC, NULL);
	}
	return r < 0 ? err_num(e, STEP_FILE, path, r) : 0;
}
