/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/spawn.h"

#include "base/clock.h"
#include "base/fd.h"

#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>

enum { OUTPUT_MAX = 1024 * 1024, TIMEOUT_DEFAULT_MS = 30000 };

static const char *const search_path[] = {"/usr/sbin", "/usr/bin", "/sbin", "/bin", "/usr/local/sbin", "/usr/local/bin"};
static const char *const plain_env[] = {"PATH=/usr/sbin:/usr/bin:/sbin:/bin:/usr/local/sbin:/usr/local/bin", "LC_ALL=C", NULL};

int spawn_find(const char *name, char *path, size_t size)
{
	if (strchr(name, '/')) {
		(void)snprintf(path, size, "%s", name);
		return access(path, X_OK) < 0 ? -errno : 0;
	}
	for (size_t i = 0; i < sizeof(search_path) / sizeof(search_path[0]); i++) {
		(void)snprintf(path, size, "%s/%s", search_path[i], name);
		if (access(path, X_OK) == 0)
			return 0;
	}
	return -ENOENT;
}

/* write(2) without SIGPIPE, whatever the calling program does with that signal. */
static ssize_t write_quietly(int fd, const void *data, size_t len)
{
	const struct timespec now = {0};
	sigset_t pipe_signal, before, pending;
	bool was_pending;
	ssize_t n;
	int errnum;

	(void)sigemptyset(&pipe_signal);
	(void)sigaddset(&pipe_signal, SIGPIPE);
	was_pending = sigpending(&pending) == 0 && sigismember(&pending, SIGPIPE) == 1;
	(void)pthread_sigmask(SIG_BLOCK, &pipe_signal, &before);
	n = write(fd, data, len);
	errnum = errno;
	if (n < 0 && errnum == EPIPE && !was_pending)
		(void)sigtimedwait(&pipe_signal, NULL, &now);
	(void)pthread_sigmask(SIG_SETMASK, &before, NULL);
	errno = errnum;
	return n;
}

static void feed(int *fd, const char **input, size_t *len)
{
	ssize_t n = write_quietly(*fd, *input, *len);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	/* EPIPE: the program does not read its input, which is its own affair. */
	if (n < 0)
		*len = 0;
	else
		*input += n, *len -= (size_t)n;
	if (!*len)
		close_fd(fd);
}

static void collect(int *fd, struct buf *out)
{
	char chunk[4096];
	ssize_t n = read(*fd, chunk, sizeof(chunk));

	if (n < 0 && errno == EINTR)
		return;
	if (n <= 0)
		close_fd(fd);
	else if (out && out->len < OUTPUT_MAX)
		buf_add(out, chunk, (size_t)n);
}

/* Moves bytes until the program has ended and its output is read, or the time is up (-ETIMEDOUT). */
static int pump(int pidfd, int *in, int *outfd, const struct spawn *s, struct buf *out)
{
	int64_t end = clock_ms() + (s->timeout_ms ? s->timeout_ms : TIMEOUT_DEFAULT_MS);
	const char *input = s->input;
	size_t len = s->input_len;

	for (;;) {
		struct pollfd p[] = {{pidfd, POLLIN, 0}, {*outfd, POLLIN, 0}, {*in, POLLOUT, 0}};
		int64_t left = s->timeout_ms < 0 ? -1 : end - clock_ms();

		if (left <= 0 && s->timeout_ms >= 0)
			return -ETIMEDOUT;
		if (poll(p, 3, (int)left) < 0 && errno != EINTR)
			return -errno;
		if (*in >= 0 && p[2].revents)
			feed(in, &input, &len);
		if (*outfd >= 0 && p[1].revents)
			collect(outfd, out);
		else if (p[0].revents)
			return 0; /* ended, and nothing is waiting: a grandchild that keeps the pipe does not hold us */
	}
}

/* Signals are as a new program expects them, whatever the caller has done to its own. */
static void attr_init(posix_spawnattr_t *attr, short flags)
{
	sigset_t none, all;

	(void)posix_spawnattr_init(attr);
	(void)sigemptyset(&none);
	(void)sigfillset(&all);
	(void)posix_spawnattr_setsigmask(attr, &none);
	(void)posix_spawnattr_setsigdefault(attr, &all);
	(void)posix_spawnattr_setflags(attr, (short)(flags | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF));
}

static int start(const struct spawn *s, const char *path, int in, int outfd, pid_t *ret)
{
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attr;
	int r;

	(void)posix_spawn_file_actions_init(&actions);
	attr_init(&attr, 0);
	if (s->cwd > 0)
		(void)posix_spawn_file_actions_addfchdir_np(&actions, s->cwd);
	if (in >= 0)
		(void)posix_spawn_file_actions_adddup2(&actions, in, 0);
	else
		(void)posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
	if (s->stdout_fd > 0)
		(void)posix_spawn_file_actions_adddup2(&actions, s->stdout_fd, 1);
	else if (outfd >= 0)
		(void)posix_spawn_file_actions_adddup2(&actions, outfd, 1);
	if (s->stderr_fd > 0)
		(void)posix_spawn_file_actions_adddup2(&actions, s->stderr_fd, 2);
	else if (outfd >= 0)
		(void)posix_spawn_file_actions_adddup2(&actions, outfd, 2);
	if (s->kept_fd > 0)
		(void)posix_spawn_file_actions_adddup2(&actions, s->kept_fd, SPAWN_KEPT);
	/* What the caller has open without close-on-exec is not for the program. */
	(void)posix_spawn_file_actions_addclosefrom_np(&actions, s->kept_fd > 0 ? SPAWN_KEPT + 1 : SPAWN_KEPT);
	r = posix_spawn(ret, path, &actions, &attr, (char *const *)s->argv,
	                (char *const *)(s->envp ? s->envp : plain_env));
	(void)posix_spawn_file_actions_destroy(&actions);
	(void)posix_spawnattr_destroy(&attr);
	return -r;
}

int spawn_run(const struct spawn *s, struct buf *out, struct nook_error *e)
{
	int in[2] = {-EBADF, -EBADF}, outp[2] = {-EBADF, -EBADF}, status = 0, r;
	char path[PATH_MAX];
	pid_t pid = 0;

	r = spawn_find(s->path ? s->path : s->argv[0], path, sizeof(path));
	if (r < 0)
		return err_num(e, STEP_SPAWN, s->argv[0], r);
	if ((s->input && pipe2(in, O_CLOEXEC) < 0) || (out && pipe2(outp, O_CLOEXEC) < 0)) {
		r = -errno;
	} else {
		r = start(s, path, in[0], outp[1], &pid);
	}
	close_fd(&in[0]);
	close_fd(&outp[1]);
	if (r == 0) {
		auto_close int pidfd = (int)syscall(SYS_pidfd_open, pid, 0);

		if (in[1] >= 0)
			(void)fcntl(in[1], F_SETFL, O_NONBLOCK);
		r = pidfd < 0 ? -errno : pump(pidfd, &in[1], &outp[0], s, out);
		if (r < 0)
			(void)kill(pid, SIGKILL);
		while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
			;
	}
	close_fd(&in[1]);
	close_fd(&outp[0]);
	if (r < 0)
		return err_num(e, STEP_SPAWN, s->argv[0], r);
	return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

pid_t spawn_start(const struct spawn_start *s, struct nook_error *e)
{
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attr;
	char path[PATH_MAX];
	pid_t pid = 0;
	int r = spawn_find(s->path ? s->path : s->argv[0], path, sizeof(path));

	if (r < 0)
		return err_num(e, STEP_SPAWN, s->argv[0], r);
	(void)posix_spawn_file_actions_init(&actions);
	attr_init(&attr, POSIX_SPAWN_SETSID);
	if (s->stdin_fd >= 0)
		(void)posix_spawn_file_actions_adddup2(&actions, s->stdin_fd, 0);
	else
		(void)posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
	if (s->stderr_fd >= 0)
		(void)posix_spawn_file_actions_adddup2(&actions, s->stderr_fd, 2);
	else
		(void)posix_spawn_file_actions_addopen(&actions, 2, "/dev/null", O_WRONLY, 0);
	(void)posix_spawn_file_actions_addopen(&actions, 1, "/dev/null", O_WRONLY, 0);
	(void)posix_spawn_file_actions_addclosefrom_np(&actions, 3);
	r = posix_spawn(&pid, path, &actions, &attr, (char *const *)s->argv, (char *const *)plain_env);
	(void)posix_spawn_file_actions_destroy(&actions);
	(void)posix_spawnattr_destroy(&attr);
	return r ? err_num(e, STEP_SPAWN, s->argv[0], r) : pid;
}
