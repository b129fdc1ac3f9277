/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "sys/record.h"

#include <errno.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

int record_send(int fd, const void *data, size_t size, const int *fds, size_t n_fds)
{
	struct iovec iov = {(void *)(uintptr_t)data, size};
	_Alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof(int) * RECORD_FDS_MAX)] = {0};
	struct msghdr m = {.msg_iov = &iov, .msg_iovlen = 1};

	if (n_fds) {
		struct cmsghdr *c = (struct cmsghdr *)control;

		if (n_fds > RECORD_FDS_MAX)
			return -E2BIG;
		m.msg_control = control;
		m.msg_controllen = (socklen_t)CMSG_SPACE(sizeof(int) * n_fds);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = (socklen_t)CMSG_LEN(sizeof(int) * n_fds);
		memcpy(CMSG_DATA(c), fds, sizeof(int) * n_fds);
	}
	while (sendmsg(fd, &m, MSG_NOSIGNAL) < 0)
		if (errno != EINTR)
			return -errno;
	return 0;
}

ssize_t record_receive(int fd, void *data, size_t size, int *fds, size_t *n_fds, int flags)
{
	struct iovec iov = {data, size};
	_Alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof(int) * RECORD_FDS_MAX)];
	struct msghdr m = {.msg_iov = &iov, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof(control)};
	size_t room = *n_fds, came = 0;
	ssize_t n;

	*n_fds = 0;
	do
		n = recvmsg(fd, &m, MSG_CMSG_CLOEXEC | flags);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return errno == ECONNRESET ? 0 : -errno;
	for (struct cmsghdr *c = CMSG_FIRSTHDR(&m); c; c = CMSG_NXTHDR(&m, c)) {
		size_t count = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);

		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
			continue;
		for (size_t i = 0; i < count; i++) {
			int passed;

			memcpy(&passed, CMSG_DATA(c) + i * sizeof(int), sizeof(int));
			if (came < room)
				fds[came++] = passed;
			else
				(void)close(passed);
		}
	}
	*n_fds = came;
	return m.msg_flags & (MSG_TRUNC | MSG_CTRUNC) ? -EPROTO : n;
}
