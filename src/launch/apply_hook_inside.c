/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Hooks that run inside: createContainer in the container's namespaces while the host's tree is still "/", startContainer
 * in the finished container.  The process that becomes the container's first program runs them, so nothing here
 * allocates; the state document and the hook's output are memfds, which neither block nor fill up a pipe.
 */
#include "launch/walk.h"

#include "base/fd.h"

#include <linux/close_range.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>

static const char pid_mark[] = "%PID%";

/* The end of TO, which now reads FROM; at most SIZE bytes with the final zero. */
static char *put_text(char *to, const char *end, const char *from)
{
	while (*from && to + 1 < end)
		*to++ = *from++;
	*to = 0;
	return to;
}

static char *put_number(char *to, const char *end, unsigned n)
{
	char digits[16], *d = digits + sizeof(digits) - 1;

	*d = 0;
	do
		*--d = (char)('0' + n % 10);
	while (n /= 10);
	return put_text(to, end, d);
}

/* A memfd with the state document in it, read from the start. */
static int state_open(const char *state, struct nook_error *e)
{
	auto_close int fd = memfd_create("state", MFD_CLOEXEC);
	const char *mark = strstr(state, pid_mark), *rest = mark ? mark + strlen(pid_mark) : state;
	char pid[16];

	if (fd < 0)
		return err_sys(e, STEP_HOOK, "state");
	(void)put_number(pid, pid + sizeof(pid), (unsigned)getpid());
	if ((mark && (fd_write(fd, state, (size_t)(mark - state)) < 0 || fd_write(fd, pid, strlen(pid)) < 0)) ||
		fd_write(fd, rest, strlen(rest)) < 0 || lseek(fd, 0, SEEK_SET) < 0)
		return err_sys(e, STEP_HOOK, "state");
	return take_fd(&fd);
}

/* Ends in execve(2), or with the errno in *FAILED: vfork(2) shares the memory. */
static _Noreturn void become(const struct walk *w, const struct step *s, int state, int collected, volatile int *failed)
{
	int out = walk_slot(w, s->hook.out_slot), err = walk_slot(w, s->hook.err_slot);

	char **argv = (char **)(uintptr_t)plan_at(w->plan, s->hook.argv_room.at);
	char **env = (char **)(uintptr_t)plan_at(w->plan, s->hook.env_room.at);

	walk_vector(w->plan, s->hook.argv, argv);
	walk_vector(w->plan, s->hook.env, env);
	if (dup2(state, STDIN_FILENO) < 0 || dup2(out < 0 ? collected : out, STDOUT_FILENO) < 0 ||
		dup2(err < 0 ? collected : err, STDERR_FILENO) < 0 ||
		syscall(SYS_close_range, 3U, ~0U, CLOSE_RANGE_CLOEXEC) < 0 ||
		((s->flags & HOOK_IN_ROOT) && fchdir(w->root) < 0) || execve(walk_str(w, s->hook.path), argv, env) < 0)
		*failed = errno;
	_exit(127);
}

/* Waits for the end; a hook that takes too long is killed. */
static int wait_end(pid_t pid, int64_t timeout_ms, int *status)
{
	auto_close int pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
	struct pollfd p = {pidfd, POLLIN, 0};
	int n = 0, late = 0;

	if (pidfd >= 0 && timeout_ms > 0) {
		do
			n = poll(&p, 1, (int)timeout_ms);
		while (n < 0 && errno == EINTR);
		late = n == 0;
	}
	if (late)
		(void)kill(pid, SIGKILL);
	while (waitpid(pid, status, 0) < 0)
		if (errno != EINTR)
			return -errno;
	return late ? -ETIMEDOUT : 0;
}

/* "it ended with status 3: what it said first" */
static int refused(const char *path, int status, int out, struct nook_error *e)
{
	char text[NOOK_DETAIL_MAX], said[NOOK_DETAIL_MAX] = "";
	const char *end = text + sizeof(text);
	unsigned code = WIFSIGNALED(status) ? 128U + (unsigned)WTERMSIG(status) : (unsigned)WEXITSTATUS(status);
	char *to = put_number(put_text(text, end, "it ended with status "), end, code);
	ssize_t n = pread(out, said, sizeof(said) - 1, 0);

	said[n > 0 ? n : 0] = 0;
	said[strcspn(said, "\n")] = 0;
	if (said[0])
		(void)put_text(put_text(to, end, ": "), end, said);
	return err_why(e, STEP_HOOK, path, EIO, text);
}

int apply_hook_inside(struct walk *w, const struct step *s, struct nook_error *e)
{
	const char *path = walk_str(w, s->hook.path);
	auto_close int state = TRY(state_open(walk_str(w, s->hook.state), e));
	auto_close int out = memfd_create("output", MFD_CLOEXEC);
	volatile int failed = 0;
	int status = 0, r;
	pid_t pid;

	if (out < 0)
		return err_sys(e, STEP_HOOK, path);
	pid = vfork();
	if (pid == 0)
		become(w, s, state, out, &failed);
	if (pid < 0)
		return err_sys(e, STEP_HOOK, path);
	r = wait_end(pid, s->hook.timeout_ms, &status);
	if (failed || r < 0)
		return err_num(e, STEP_HOOK, path, failed ? failed : r);
	return status ? refused(path, status, out, e) : 0;
}
