/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "oci/criu.h"

#include "base/fd.h"
#include "base/spawn.h"
#include "base/text.h"
#include "oci/protobuf.h"

#include <limits.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/wait.h>

enum { MESSAGE_MAX = 64 * 1024, LOG_MAX = 64 * 1024 * 1024, KIND_NOTIFY = 6 };
/* Fields of criu_req, criu_resp, criu_notify and criu_restore_resp. */
enum { REQ_TYPE = 1, REQ_OPTS, REQ_NOTIFY_SUCCESS };
enum { RESP_TYPE = 1, RESP_SUCCESS, RESP_RESTORE = 4, RESP_NOTIFY = 5, RESP_ERRNO = 7, RESP_ERRMSG = 9 };

struct answer {
	int64_t type, success, cr_errno, restored, notify_pid;
	char script[32], message[200];
	int passed;
};

static void copy_text(char *to, size_t size, const struct pb_field *f)
{
	size_t len = f->len < size ? f->len : size - 1;

	if (f->data)
		memcpy(to, f->data, len);
	to[f->data ? len : 0] = 0;
}

static void read_inner(const struct pb_field *outer, int64_t *number, unsigned number_field, char *text, size_t size)
{
	struct pb_reader r = {.data = outer->data, .len = outer->data ? outer->len : 0};
	struct pb_field f;

	while (pb_next(&r, &f)) {
		if (f.number == number_field)
			*number = f.value;
		else if (f.number == 1 && text)
			copy_text(text, size, &f);
	}
}

static int parse(const void *data, size_t len, struct answer *a)
{
	struct pb_reader r = {.data = data, .len = len};
	struct pb_field f;

	while (pb_next(&r, &f)) {
		switch (f.number) {
		case RESP_TYPE: a->type = f.value; break;
		case RESP_SUCCESS: a->success = f.value; break;
		case RESP_RESTORE: read_inner(&f, &a->restored, 1, NULL, 0); break;
		case RESP_NOTIFY: read_inner(&f, &a->notify_pid, 2, a->script, sizeof(a->script)); break;
		case RESP_ERRNO: a->cr_errno = f.value; break;
		case RESP_ERRMSG: copy_text(a->message, sizeof(a->message), &f); break;
		default: break;
		}
	}
	return r.bad ? -EPROTO : 0;
}

/* One message: 1, or 0 when criu has gone. */
static int receive(int fd, struct answer *a)
{
	static char data[MESSAGE_MAX]; /* touched only by who talks to criu */
	_Alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof(int))];
	struct iovec iov = {data, sizeof(data)};
	struct msghdr m = {.msg_iov = &iov, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof(control)};
	ssize_t n;

	*a = (struct answer){.passed = -EBADF};
	do
		n = recvmsg(fd, &m, MSG_CMSG_CLOEXEC);
	while (n < 0 && errno == EINTR);
	if (n <= 0)
		return n == 0 || errno == ECONNRESET ? 0 : -errno;
	for (struct cmsghdr *c = CMSG_FIRSTHDR(&m); c; c = CMSG_NXTHDR(&m, c))
		if (c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS)
			memcpy(&a->passed, CMSG_DATA(c), sizeof(int));
	return parse(data, (size_t)n, a) < 0 ? -EPROTO : 1;
}

/* ---- the program --------------------------------------------------------------------------------------------------------- */

static int find_program(const char *name, char *path, size_t size, struct nook_error *e)
{
	static const char *const places[] = {"/usr/sbin", "/usr/bin", "/sbin", "/bin", "/usr/local/sbin", "/usr/local/bin"};

	if (strchr(name, '/')) {
		(void)snprintf(path, size, "%s", name);
		return access(path, X_OK) < 0 ? err_sys(e, STEP_CHECKPOINT, name) : 0;
	}
	for (size_t i = 0; i < sizeof(places) / sizeof(*places); i++) {
		(void)snprintf(path, size, "%s/%s", places[i], name);
		if (access(path, X_OK) == 0)
			return 0;
	}
	return err_why(e, STEP_CHECKPOINT, name, ENOENT, "checkpoint and restore need this program, which is not installed");
}

static _Noreturn void become(const struct criu *c, const char *path, int fd)
{
	char number[16];
	char *argv[] = {(char *)(uintptr_t)path, (char *)(uintptr_t)"swrk", number, NULL};
	sigset_t none;

	/* We may keep signals for later, to pass them on. */
	(void)sigemptyset(&none);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
	(void)signal(SIGPIPE, SIG_DFL);

	(void)snprintf(number, sizeof(number), "%d", fd);
	if (c->private_mounts &&
		(unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_SLAVE | MS_REC, NULL) < 0 ||
			mount(c->root_from, c->root_to, NULL, MS_BIND | MS_REC, NULL) < 0 ||
			mount(NULL, c->root_to, NULL, MS_PRIVATE | MS_REC, NULL) < 0))
		_exit(127);
	if (fcntl(fd, F_SETFD, 0) == 0)
		(void)execv(path, argv);
	_exit(127);
}

/* criu and its end of the socket, kept from going on until it has been put where it belongs. */
static int start(const struct criu *c, const char *path, int sockets[2], pid_t *ret, struct nook_error *e)
{
	int gate[2], r = 0;
	pid_t pid;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sockets) < 0)
		return err_sys(e, STEP_CHECKPOINT, path);
	if (pipe2(gate, O_CLOEXEC) < 0)
		return err_sys(e, STEP_CHECKPOINT, path);
	pid = fork();
	if (pid == 0) {
		char go;

		(void)close(gate[1]);
		if (read(gate[0], &go, 1) != 1)
			_exit(127);
		become(c, path, sockets[1]);
	}
	(void)close(gate[0]);
	close_fd(&sockets[1]);
	if (pid < 0)
		r = err_sys(e, STEP_CLONE, path);
	else if (c->started)
		r = c->started(c->data, pid, e);
	if (r == 0 && write(gate[1], "", 1) != 1)
		r = err_sys(e, STEP_CHECKPOINT, path);
	(void)close(gate[1]);
	*ret = pid;
	return r;
}

static int send_all(int fd, const struct buf *message)
{
	return send(fd, message->data, message->len, MSG_NOSIGNAL) < 0 ? -errno : 0;
}

static int converse(int fd, enum criu_request request, const struct buf *options, struct criu_answer *ret, struct answer *last)
{
	AUTO_VALUE(buf_done) struct buf ask = {0}, go_on = {0};
	int r;

	pb_put_number(&ask, REQ_TYPE, request);
	pb_put_bytes(&ask, REQ_OPTS, options->data, options->len);
	pb_put_number(&go_on, REQ_TYPE, KIND_NOTIFY);
	pb_put_number(&go_on, REQ_NOTIFY_SUCCESS, 1);
	r = send_all(fd, &ask);
	while (r == 0 && (r = receive(fd, last)) > 0) {
		if (last->type != KIND_NOTIFY)
			return last->type == (int64_t)request ? 1 : -EPROTO;
		if (last->passed >= 0 && text_is(last->script, "orphan-pts-master") && ret->terminal < 0)
			ret->terminal = take_fd(&last->passed);
		close_fd(&last->passed);
		if (last->notify_pid > 0)
			ret->pid = (pid_t)last->notify_pid;
		r = send_all(fd, &go_on);
	}
	return r;
}

/* ---- failures ------------------------------------------------------------------------------------------------------------ */

/* The first line of TEXT that has "Error" in it: later ones tell what came of that. */
static const char *first_error(const char *text)
{
	return strstr(text, "Error ");
}

static int explain(const struct criu *c, const char *path, const struct answer *a, struct nook_error *e)
{
	const char *const argv[] = {path, "check", NULL};
	const struct spawn check = {.path = path, .argv = argv, .envp = (const char *const *)environ};
	AUTO_VALUE(buf_done) struct buf said = {0}, log = {0};
	const char *line;

	/* What does not work at all is told rather than where it stopped. */
	if (spawn_run(&check, &said, NULL) != 0) {
		line = first_error(buf_text(&said));
		return err_fmt(e, STEP_CHECKPOINT, path, EOPNOTSUPP, "criu check fails on this kernel: %.*s", line ? (int)strcspn(line, "\n") : 0,
			line ? line : "");
	}
	line = file_read(c->work_dir, c->log_name, LOG_MAX, &log, NULL) < 0 ? NULL : first_error(buf_text(&log));
	if (line)
		return err_fmt(e, STEP_CHECKPOINT, c->log_name, EIO, "criu: %.*s", (int)strcspn(line, "\n"), line);
	return err_fmt(e, STEP_CHECKPOINT, path, a->cr_errno > 0 ? (int)a->cr_errno : EIO, "%s",
		a->message[0] ? a->message : "criu ended without a word");
}

int criu_run(const struct criu *c, enum criu_request request, const struct buf *options, struct criu_answer *ret, struct nook_error *e)
{
	struct criu_answer answer = {.terminal = -EBADF};
	struct answer last = {.passed = -EBADF};
	char path[PATH_MAX];
	int sockets[2] = {-EBADF, -EBADF}, r;
	pid_t pid = 0;

	TRY(find_program(c->program, path, sizeof(path), e));
	r = start(c, path, sockets, &pid, e);
	if (r == 0) {
		r = converse(sockets[0], request, options, &answer, &last);
		if (r == 1 && last.success)
			r = 0;
		else
			r = explain(c, path, &last, e);
	} else if (pid > 0) {
		(void)kill(pid, SIGKILL);
	}
	close_fd(&sockets[0]);
	while (pid > 0 && waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		;
	if (last.restored > 0)
		answer.pid = (pid_t)last.restored;
	if (r < 0) {
		close_fd(&answer.terminal);
		return r;
	}
	*ret = answer;
	return 0;
}

/* ---- options ------------------------------------------------------------------------------------------------------------- */

int criu_cgroups_mode(const char *word, struct nook_error *e)
{
	static const char *const words[] = {"ignore", "none", "props", "soft", "full", "strict"};

	for (int i = 0; i < (int)(sizeof(words) / sizeof(*words)); i++)
		if (text_is(words[i], word))
			return i;
	return err_fmt(e, STEP_OPTION, "--manage-cgroups-mode", EINVAL, "\"%.40s\" is none of soft, full, strict and ignore", word);
}

void criu_put_mount(struct buf *options, const char *key, const char *value)
{
	AUTO_VALUE(buf_done) struct buf map = {0};

	pb_put_string(&map, 1, key);
	pb_put_string(&map, 2, value);
	pb_put_bytes(options, CRIU_EXT_MNT, map.data, map.len);
}

void criu_put_inherited(struct buf *options, const char *key, int fd)
{
	AUTO_VALUE(buf_done) struct buf inherited = {0};

	pb_put_string(&inherited, 1, key);
	pb_put_number(&inherited, 2, fd);
	pb_put_bytes(options, CRIU_INHERIT_FD, inherited.data, inherited.len);
}
