/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * An order is one message: words that each end with a NUL, and descriptors, the first of which is a socket for the answer.
 *
 *     unpack DIR FOLLOW DIGEST [KEY...]      answer, news, said, blob      DIR: "ingest/...", FOLLOW: "grows" or "whole"
 *     credentials NAME VERB INPUT     answer, output
 *
 * Each order is served by a process of its own, so that none waits for another; when the other side of the answer's socket
 * is shut, the program is killed.
 */
#include "transfer/starter.h"

#include "base/fd.h"
#include "base/text.h"
#include "image/digest.h"
#include "registry/credhelper.h"
#include "sys/inroot.h"
#include "sys/record.h"

#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>

enum { ORDER_MAX = 128 << 10, WORDS_MAX = 160, FDS_MAX = 4, CONTROL = 3 };

struct answer {
	int result; /* the program's status as waitpid(2) tells it, a helper's exit status, or -errno */
	struct nook_error error;
};

struct order {
	char text[ORDER_MAX];
	const char *words[WORDS_MAX + 1];
	size_t n_words;
	int fds[FDS_MAX];
	size_t n_fds;
};

/* ---- the child ------------------------------------------------------------------------------------------------------ */

static const char hex[] = "0123456789abcdef", digits_and_letters[] = "0123456789abcdefghijklmnopqrstuvwxyz";

static bool is_ingest_name(const char *text)
{
	const char *rest = text_after(text, "ingest/layer-");

	return rest && *rest && strlen(rest) < INGEST_NAME_MAX && !rest[strspn(rest, digits_and_letters)];
}

/* A layer's name: its DiffID, or "chain-" and a digest. */
static bool is_layer_key(const char *text)
{
	const char *chain = text_after(text, "chain-"), *rest = chain ? chain : text;

	return (strlen(rest) == 2 * digest_sizes[DIGEST_SHA256] || strlen(rest) == 2 * digest_sizes[DIGEST_SHA512]) && !rest[strspn(rest, hex)];
}

static int refused(const char *word, struct nook_error *e)
{
	return err_why(e, STEP_SPAWN, word, EPERM, "is no order that may be given");
}

/* Waits for the program, which is killed when nobody waits for the answer any more. */
static int await(pid_t pid, int answer)
{
	auto_close int pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
	struct pollfd p[] = {{pidfd, POLLIN, 0}, {answer, POLLIN | POLLRDHUP, 0}};
	int status = 0;

	while (pidfd >= 0 && poll(p, 2, -1) < 0 && errno == EINTR)
		;
	if (pidfd < 0 || !p[0].revents)
		(void)kill(pid, SIGKILL);
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	return status;
}

static int serve_unpack(struct order *o, const char *images, struct nook_error *e)
{
	AUTO(arena_free) struct arena *a = arena_new();
	const char **lowers = NULL;
	size_t n = 0;
	pid_t pid = 0;
	int algorithm = o->n_words < 4 ? -1 : digest_algorithm_find(o->words[3]);

	if (algorithm < 0 || o->n_fds != 4 || !is_ingest_name(o->words[1]))
		return refused(o->words[0], e);
	for (const char **key = &o->words[4]; *key; key++) {
		if (!is_layer_key(*key))
			return refused(*key, e);
		*arena_push(a, &lowers, &n) = *key;
	}
	/* Who gives the order may have put links into the depot. */
	auto_close int depot = open(images, O_PATH | O_DIRECTORY | O_CLOEXEC);

	if (depot < 0)
		return err_sys(e, STEP_UNPACK, o->words[1]);
	auto_close int target = TRY(inroot_open(depot, o->words[1], O_RDONLY | O_DIRECTORY | O_NOFOLLOW, STEP_UNPACK, e));

	if (n) {
		auto_close int layers = TRY(inroot_open(depot, "layers", O_RDONLY | O_DIRECTORY | O_NOFOLLOW, STEP_UNPACK, e));

		if (fchdir(layers) < 0)
			return err_sys(e, STEP_UNPACK, "layers");
	}
	TRY(unpacker_spawn(&(struct unpacker_job){.news = o->fds[1], .said = o->fds[2], .blob = o->fds[3], .target = target,
		.grows = text_is(o->words[2], "grows"), .algorithm = (enum digest_algorithm)algorithm, .lowers = lowers}, &pid, e));
	/* Their ends tell the other side something. */
	for (size_t i = 1; i < o->n_fds; i++)
		close_fd(&o->fds[i]);
	return await(pid, o->fds[0]);
}

static int serve_credentials(struct order *o, struct nook_error *e)
{
	AUTO_VALUE(buf_done) struct buf out = {0};
	int r;

	if (o->n_words != 4 || o->n_fds != 2 || (!text_is(o->words[2], "get") && !text_is(o->words[2], "store")))
		return refused(o->words[0], e);
	r = TRY(credhelper_spawn(o->words[1], o->words[2], o->words[3], &out, e));
	return fd_write(o->fds[1], out.data, out.len) < 0 ? err_why(e, STEP_SPAWN, o->words[1], EIO, "its answer does not reach nook") : r;
}

static void serve(struct order *o, const char *images)
{
	struct answer answer = {.error = NOOK_ERROR_INIT};

	if (text_is(o->words[0], "unpack"))
		answer.result = serve_unpack(o, images, &answer.error);
	else if (text_is(o->words[0], "credentials"))
		answer.result = serve_credentials(o, &answer.error);
	else
		answer.result = refused(o->words[0], &answer.error);
	(void)record_send(o->fds[0], &answer, sizeof(answer), NULL, 0);
}

/* False: there are no more. */
static bool receive(struct order *o)
{
	ssize_t n;

	o->n_fds = FDS_MAX;
	o->n_words = 0;
	n = record_receive(CONTROL, o->text, sizeof(o->text), o->fds, &o->n_fds, 0);
	if (n <= 0)
		return false;
	if (o->text[n - 1])
		return true;
	for (const char *at = o->text; at < o->text + n && o->n_words < WORDS_MAX; at += strlen(at) + 1)
		o->words[o->n_words++] = at;
	o->words[o->n_words] = NULL;
	return true;
}

static void run(int control, const char *root)
{
	AUTO(arena_free) struct arena *a = arena_new();
	const char *images = arena_printf(a, "%s/images", root);
	struct order *o = xcalloc(1, sizeof(*o));
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	/* Locks and pipes of the parent's must end with it. */
	for (int fd = 0; fd < CONTROL && null >= 0; fd++)
		(void)dup2(null, fd);
	if (control == CONTROL ? fcntl(CONTROL, F_SETFD, FD_CLOEXEC) < 0 : dup3(control, CONTROL, O_CLOEXEC) < 0)
		return;
	if (syscall(SYS_close_range, CONTROL + 1, ~0U, 0) < 0)
		return;
	while (receive(o)) {
		if (o->n_words && o->n_fds && fork() == 0) {
			(void)close(CONTROL);
			serve(o, images);
			_exit(0);
		}
		for (size_t i = 0; i < o->n_fds; i++)
			close_fd(&o->fds[i]);
		while (waitpid(-1, NULL, WNOHANG) > 0)
			;
	}
	/* Who is waited for counts among what the command took. */
	while (waitpid(-1, NULL, 0) > 0 || errno == EINTR)
		;
	free(o);
}

/* ---- orders --------------------------------------------------------------------------------------------------------- */

static void add_word(struct buf *b, const char *word)
{
	buf_add(b, word, strlen(word) + 1);
}

/* FDS[0] is filled in; *ret is the socket on which the answer comes. */
static int order(const struct starter *s, const struct buf *words, int *fds, size_t n_fds, int *ret, struct nook_error *e)
{
	int pair[2], r;

	if (words->len > ORDER_MAX)
		return err_num(e, STEP_SPAWN, words->data, E2BIG);
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return err_sys(e, STEP_SPAWN, words->data);
	fds[0] = pair[1];
	r = record_send(s->control, words->data, words->len, fds, n_fds);
	(void)close(pair[1]);
	if (r < 0) {
		(void)close(pair[0]);
		return err_num(e, STEP_SPAWN, words->data, r);
	}
	*ret = pair[0];
	return 0;
}

static int read_answer(int fd, struct nook_error *e)
{
	struct answer answer;
	size_t n_fds = 0;
	ssize_t n = record_receive(fd, &answer, sizeof(answer), NULL, &n_fds, 0);

	if (n != sizeof(answer))
		return err_why(e, STEP_SPAWN, "nook-transfer", EIO, "its helper process is gone");
	if (answer.result < 0 && e)
		*e = answer.error;
	return answer.result;
}

static int start_unpacker(void *context, const struct unpacker_job *job, const char *dir, int *ret, struct nook_error *e)
{
	AUTO_VALUE(buf_done) struct buf words = {0};
	int fds[] = {-EBADF, job->news, job->said, job->blob};

	add_word(&words, "unpack");
	add_word(&words, dir);
	add_word(&words, job->grows ? "grows" : "whole");
	add_word(&words, digest_names[job->algorithm]);
	for (const char *const *lower = job->lowers; lower && *lower; lower++)
		add_word(&words, strrchr(*lower, '/') + 1);
	return order(context, &words, fds, sizeof(fds) / sizeof(fds[0]), ret, e);
}

static int wait_unpacker(int job, int *ret_status, struct nook_error *e)
{
	*ret_status = TRY(read_answer(job, e));
	return 0;
}

static int run_helper(void *context, const char *name, const char *verb, const char *input, struct buf *out, struct nook_error *e)
{
	AUTO_VALUE(buf_done) struct buf words = {0};
	auto_close int output = memfd_create("answer", MFD_CLOEXEC);
	auto_free char *text = xcalloc(1, CREDHELPER_ANSWER_MAX);
	int fds[] = {-EBADF, output}, answer = -EBADF, r;
	ssize_t n;

	if (output < 0)
		return err_sys(e, STEP_SPAWN, name);
	add_word(&words, "credentials");
	add_word(&words, name);
	add_word(&words, verb);
	add_word(&words, input);
	TRY(order(context, &words, fds, sizeof(fds) / sizeof(fds[0]), &answer, e));
	r = read_answer(answer, e);
	(void)close(answer);
	TRY(r);
	n = pread(output, text, CREDHELPER_ANSWER_MAX, 0);
	if (n < 0)
		return err_sys(e, STEP_SPAWN, name);
	buf_add(out, text, (size_t)n);
	return r;
}

/* ---- public --------------------------------------------------------------------------------------------------------- */

int starter_start(struct starter *s, const char *root, struct nook_error *e)
{
	int pair[2];
	pid_t pid;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return err_sys(e, STEP_SPAWN, "nook-transfer");
	pid = fork();
	if (pid == 0) {
		run(pair[1], root);
		_exit(0);
	}
	(void)close(pair[1]);
	if (pid < 0) {
		(void)close(pair[0]);
		return err_sys(e, STEP_SPAWN, "nook-transfer");
	}
	*s = (struct starter){
		.control = pair[0], .pid = pid,
		.unpackers = {.context = s, .start = start_unpacker, .wait = wait_unpacker},
		.helpers = {.context = s, .run = run_helper},
	};
	return 0;
}

void starter_done(struct starter *s)
{
	if (!s->pid)
		return;
	close_fd(&s->control);
	while (waitpid(s->pid, NULL, 0) < 0 && errno == EINTR)
		;
	s->pid = 0;
}
