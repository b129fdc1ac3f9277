/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Services of the host that do things for whoever reaches their sockets. */
#include "escape.h"

#include <linux/io_uring.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

static bool can_connect(const char *path)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	bool done;

	(void)snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
	done = fd >= 0 && connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0;
	if (fd >= 0)
		(void)close(fd);
	return done;
}

/* The test has put it where engines and buses have theirs. */
bool attack_service_socket(void)
{
	char path[108];

	(void)snprintf(path, sizeof(path), "/run/%s.sock", outside.socket);
	return can_connect(path);
}

bool attack_engine_sockets(void)
{
	static const char *const paths[] = {"/run/docker.sock", "/var/run/docker.sock", "/run/podman/podman.sock",
		"/run/containerd/containerd.sock", "/run/crio/crio.sock", "/run/buildkit/buildkitd.sock", "/run/snapd.socket"};

	for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++)
		if (can_connect(paths[i]))
			return true;
	return false;
}

bool attack_buses(void)
{
	static const char *const paths[] = {"/run/dbus/system_bus_socket", "/var/run/dbus/system_bus_socket", "/run/systemd/private",
		"/run/systemd/journal/stdout"};
	char path[64];

	for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++)
		if (can_connect(paths[i]))
			return true;
	(void)snprintf(path, sizeof(path), "/run/user/%u/bus", geteuid());
	return can_connect(path);
}

/* A ring makes calls that no filter of system calls sees: here a socket of a family that is refused. */
bool attack_io_uring_socket(void)
{
	enum { OP_SOCKET = 45 };
	struct io_uring_params p = {0};
	int ring = (int)syscall(SYS_io_uring_setup, 1, &p);
	struct io_uring_sqe *sqe;
	struct io_uring_cqe *cqe;
	char *sq, *cq;
	unsigned *tail;

	if (ring < 0)
		return false;
	sq = mmap(NULL, p.sq_off.array + sizeof(unsigned), PROT_READ | PROT_WRITE, MAP_SHARED, ring, IORING_OFF_SQ_RING);
	cq = mmap(NULL, p.cq_off.cqes + p.cq_entries * sizeof(*cqe), PROT_READ | PROT_WRITE, MAP_SHARED, ring, IORING_OFF_CQ_RING);
	sqe = mmap(NULL, sizeof(*sqe), PROT_READ | PROT_WRITE, MAP_SHARED, ring, IORING_OFF_SQES);
	if (sq == MAP_FAILED || cq == MAP_FAILED || sqe == MAP_FAILED)
		return false;
	memset(sqe, 0, sizeof(*sqe));
	sqe->opcode = OP_SOCKET;
	sqe->fd = AF_ALG;
	sqe->off = SOCK_SEQPACKET;
	*(unsigned *)(sq + p.sq_off.array) = 0;
	tail = (unsigned *)(sq + p.sq_off.tail);
	__atomic_store_n(tail, *tail + 1, __ATOMIC_RELEASE);
	if (syscall(SYS_io_uring_enter, ring, 1, 1, IORING_ENTER_GETEVENTS, NULL, 0) != 1)
		return false;
	cqe = (struct io_uring_cqe *)(cq + p.cq_off.cqes);
	return cqe->res >= 0;
}
