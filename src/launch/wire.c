/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The wire is a SOCK_SEQPACKET pair.  The child sends at most one WIRE_ERROR and then ends; its end is close-on-exec, so
 * end-of-file without an error means that execve(2) was reached.
 */
#include "launch/walk.h"

#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { SHORT_RECORD = offsetof(struct wire_record, error) };

static int send_all(int fd, struct wire_record *r, size_t size, int passed)
{
	struct iovec iov = {r, size};
	_Alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof(int))] = {0};
	struct msghdr m = {.msg_iov = &iov, .msg_iovlen = 1};

	if (passed >= 0) {
		struct cmsghdr *c = (struct cmsghdr *)control;

		m.msg_control = control;
		m.msg_controllen = sizeof(control);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(c), &passed, sizeof(int));
	}
	while (sendmsg(fd, &m, MSG_NOSIGNAL) < 0)
		if (errno != EINTR)
			return -errno;
	return 0;
}

int wire_send(int fd, enum wire_kind kind, int number)
{
	struct wire_record r = {.kind = kind, .number = number};

	return send_all(fd, &r, SHORT_RECORD, -EBADF);
}

int wire_write(int fd, enum wire_kind kind, int number)
{
	struct wire_record r = {.kind = kind, .number = number};

	return write(fd, &r, SHORT_RECORD) < 0 ? -errno : 0;
}

int wire_send_fd(int fd, enum wire_kind kind, int passed)
{
	struct wire_record r = {.kind = kind};

	return send_all(fd, &r, SHORT_RECORD, passed);
}

int wire_send_error(int fd, const struct nook_error *error, int code)
{
	struct wire_record r = {.kind = WIRE_ERROR, .number = code, .error = *error};

	return send_all(fd, &r, sizeof(r), -EBADF);
}

int wire_receive(int fd, struct wire_record *ret, int *ret_fd)
{
	struct iovec iov = {ret, sizeof(*ret)};
	_Alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof(int))];
	struct msghdr m = {.msg_iov = &iov, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof(control)};
	ssize_t n;

	*ret_fd = -EBADF;
	do
		n = recvmsg(fd, &m, MSG_CMSG_CLOEXEC);
	/* ECONNRESET: the other end has gone with a message of ours unread.  It is told once, before what the other end had
	 * still sent, which may be the reason why it went. */
	while (n < 0 && (errno == EINTR || errno == ECONNRESET));
	if (n < 0)
		return -errno;
	if (n == 0)
		return 0;
	for (struct cmsghdr *c = CMSG_FIRSTHDR(&m); c; c = CMSG_NXTHDR(&m, c))
		if (c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS)
			memcpy(ret_fd, CMSG_DATA(c), sizeof(int));
	if (n < SHORT_RECORD || (ret->kind == WIRE_ERROR && n != sizeof(*ret))) {
		close_fd(ret_fd);
		return -EPROTO;
	}
	return 1;
}

int wire_wait_go(int fd)
{
	struct wire_record r;
	int passed;
	int n = wire_receive(fd, &r, &passed);

	if (n < 0)
		return n;
	return n == 1 && r.kind == WIRE_GO ? 0 : -EPIPE;
}
