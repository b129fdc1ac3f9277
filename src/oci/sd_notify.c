/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "oci/sd_notify.h"

#include "base/text.h"
#include "launch/walk.h"
#include "runtime/store.h"

#include <poll.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#define NOTIFY_DIR "notify"
#define NOTIFY_NAME "notify.sock"
#define NOTIFY_INSIDE "/run/notify"

enum { MESSAGE_MAX = 64 * 1024 };

static const char *host_socket(void)
{
	const char *path = getenv("NOTIFY_SOCKET");

	return path && *path ? path : NULL;
}

void sd_notify_prepare(struct spec *s, const struct store_run *r, const char *id)
{
	const char **env = NULL;
	size_t n = 0;

	if (!host_socket())
		return;
	/* No option of it can be refused. */
	(void)spec_mount_add(s, NOTIFY_INSIDE, "bind", arena_printf(s->arena, "%s/" STORE_CONTAINERS "/%s/" NOTIFY_DIR, r->path, id),
		"bind,ro,nosuid,nodev,noexec", NULL, NULL);
	for (const char *const *p = s->process.env; p && *p; p++)
		*arena_push(s->arena, &env, &n) = *p;
	*arena_push(s->arena, &env, &n) = "NOTIFY_SOCKET=" NOTIFY_INSIDE "/" NOTIFY_NAME;
	(void)arena_push(s->arena, &env, &n);
	s->process.env = env;
}

int sd_notify_make(int dir, struct nook_error *e)
{
	if (!host_socket())
		return 0;
	return mkdirat(dir, NOTIFY_DIR, 0755) < 0 || fchmodat(dir, NOTIFY_DIR, 0755, 0) < 0 ? err_sys(e, STEP_STATE, NOTIFY_DIR) : 0;
}

int sd_notify_listen(int dir, struct nook_error *e)
{
	auto_close int at = host_socket() ? openat(dir, NOTIFY_DIR, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC) : -EBADF;
	auto_close int fd = -EBADF;
	struct sockaddr_un a;

	if (at < 0)
		return -ENOENT;
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || gate_address(at, NOTIFY_NAME, &a) < 0)
		return err_sys(e, STEP_STATE, NOTIFY_NAME);
	(void)unlinkat(at, NOTIFY_NAME, 0);
	/* Whoever the container's user is may write to it. */
	if (bind(fd, (const struct sockaddr *)&a, sizeof(a)) < 0 || fchmodat(at, NOTIFY_NAME, 0777, 0) < 0)
		return err_sys(e, STEP_STATE, NOTIFY_NAME);
	return take_fd(&fd);
}

static void pass_on(pid_t pid)
{
	auto_close int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	const char *path = host_socket();
	struct sockaddr_un a = {.sun_family = AF_UNIX};
	char text[64];
	size_t len = path ? strlen(path) : 0;

	if (fd < 0 || !len || len >= sizeof(a.sun_path))
		return;
	memcpy(a.sun_path, path, len);
	if (path[0] == '@')
		a.sun_path[0] = 0;
	(void)snprintf(text, sizeof(text), "READY=1\nMAINPID=%d", (int)pid);
	/* Nobody listens any more: then nobody misses it. */
	(void)sendto(fd, text, strlen(text), MSG_NOSIGNAL, (const struct sockaddr *)&a,
		(socklen_t)(offsetof(struct sockaddr_un, sun_path) + len));
}

static bool says_ready(const char *text)
{
	const char *p = strstr(text, "READY=1");

	return p && (p == text || p[-1] == '\n') && (!p[7] || p[7] == '\n');
}

void sd_notify_wait(int listener, pid_t pid, int pidfd)
{
	static char text[MESSAGE_MAX]; /* touched only by who waits */

	for (;;) {
		struct pollfd p[] = {{listener, POLLIN, 0}, {pidfd, POLLIN, 0}};
		ssize_t n;

		if (poll(p, 2, -1) < 0 && errno != EINTR)
			return;
		n = p[0].revents ? recv(listener, text, sizeof(text) - 1, MSG_DONTWAIT) : -1;
		if (n >= 0) {
			text[n] = 0;
			if (!says_ready(text))
				continue;
			pass_on(pid);
			return;
		}
		if (p[1].revents)
			return;
	}
}

void sd_notify_watch(int listener, pid_t pid, int pidfd)
{
	if (fork() != 0)
		return;
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
	/* What is read from the caller's pipes ends with the container, not with this. */
	for (int fd = 0; fd < 3; fd++)
		(void)close(fd);
	sd_notify_wait(listener, pid, pidfd);
	_exit(0);
}
