/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The helper gets the blob and the directory as descriptors, and a socket as stdin: a byte on it says that the blob has
 * grown, its end that the blob is complete.  The socket never blocks this side: a full one means that news is waiting.
 */
#include "storage/unpacker.h"

#include "base/fd.h"
#include "base/text.h"
#include "runtime/tar.h"

#include <limits.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>

enum { EXIT_NEEDS_LOWERS = 3, BLOB_FD = 3, TARGET_FD = 4, SPARE_FD = 16, SAID_MAX = 4096 };

struct unpacker {
	struct depot *depot;
	char dir[INGEST_NAME_MAX];
	const char *what;
	const struct unpacker_host *host;
	pid_t pid;      /* without a host */
	int job;        /* with one */
	int news, said; /* its stdin; its stdout and stderr */
	int lock;       /* of the directory */
};

static int failed(const struct unpacker *u, struct nook_error *e)
{
	return err_sys(e, STEP_UNPACK, u->what);
}

/* Descriptors above those that the helper gets, so that none overwrites another. */
static int spare(int fd, struct nook_error *e)
{
	int copy = fcntl(fd, F_DUPFD_CLOEXEC, SPARE_FD);

	return copy < 0 ? err_sys(e, STEP_UNPACK, "nook-unpack") : copy;
}

static int spawn(const char *const *argv, int blob, int target, int news, int said, pid_t *ret, struct nook_error *e)
{
	static const char *const environment[] = {"LC_ALL=C", NULL};
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attributes;
	sigset_t none, all;
	int r;

	(void)posix_spawn_file_actions_init(&actions);
	(void)posix_spawnattr_init(&attributes);
	(void)sigemptyset(&none);
	(void)sigfillset(&all);
	(void)posix_spawnattr_setsigmask(&attributes, &none);
	(void)posix_spawnattr_setsigdefault(&attributes, &all);
	(void)posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
	(void)posix_spawn_file_actions_adddup2(&actions, news, STDIN_FILENO);
	(void)posix_spawn_file_actions_adddup2(&actions, said, STDOUT_FILENO);
	(void)posix_spawn_file_actions_adddup2(&actions, said, STDERR_FILENO);
	(void)posix_spawn_file_actions_adddup2(&actions, blob, BLOB_FD);
	(void)posix_spawn_file_actions_adddup2(&actions, target, TARGET_FD);
	r = posix_spawn(ret, argv[0], &actions, &attributes, (char *const *)argv, (char *const *)environment);
	(void)posix_spawn_file_actions_destroy(&actions);
	(void)posix_spawnattr_destroy(&attributes);
	return r ? err_num(e, STEP_SPAWN, argv[0], r) : 0;
}

int unpacker_spawn(const struct unpacker_job *job, pid_t *ret, struct nook_error *e)
{
	AUTO(arena_free) struct arena *a = arena_new();
	char program[PATH_MAX];
	const char **argv = NULL;
	size_t n = 0;

	TRY(helper_find("nook-unpack", program, sizeof(program), e));
	*arena_push(a, &argv, &n) = program;
	*arena_push(a, &argv, &n) = "--target-fd=4";
	*arena_push(a, &argv, &n) = "--input-fd=3";
	*arena_push(a, &argv, &n) = "--image";
	*arena_push(a, &argv, &n) = "--quiet";
	*arena_push(a, &argv, &n) = "--sync";
	*arena_push(a, &argv, &n) = geteuid() == 0 ? "--layer=both" : "--layer=user";
	if (geteuid() != 0)
		*arena_push(a, &argv, &n) = "--skip-devices";
	*arena_push(a, &argv, &n) = arena_printf(a, "--digest=%s", digest_names[job->algorithm]);
	if (job->grows)
		*arena_push(a, &argv, &n) = "--follow";
	for (const char *const *l = job->lowers; l && *l; l++)
		*arena_push(a, &argv, &n) = arena_printf(a, "--lower=%s", *l);
	auto_close int blob = TRY(spare(job->blob, e));
	auto_close int target = TRY(spare(job->target, e));
	auto_close int news = TRY(spare(job->news, e));
	auto_close int said = TRY(spare(job->said, e));

	return spawn(argv, blob, target, news, said, ret, e);
}

static int start(struct unpacker *u, const struct unpacker_want *want, struct nook_error *e)
{
	int news[2] = {-EBADF, -EBADF}, said[2] = {-EBADF, -EBADF};
	int r = 0;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, news) < 0 || pipe2(said, O_CLOEXEC) < 0)
		r = failed(u, e);
	u->news = news[0];
	u->said = said[0];
	auto_close int its_news = news[1], its_said = said[1];
	const struct unpacker_job job = {.news = its_news, .said = its_said, .blob = want->blob, .target = u->lock,
		.grows = want->grows, .algorithm = want->algorithm, .lowers = want->lowers};

	TRY(r);
	return u->host ? u->host->start(u->host->context, &job, u->dir, &u->job, e) : unpacker_spawn(&job, &u->pid, e);
}

int unpacker_start(struct depot *d, const struct unpacker_want *want, struct unpacker **ret, struct nook_error *e)
{
	AUTO(unpacker_free) struct unpacker *u = xcalloc(1, sizeof(*u));

	u->depot = d;
	u->host = d->unpackers;
	u->what = want->what;
	u->news = u->said = u->lock = u->job = -EBADF;
	u->lock = TRY(ingest_dir(d, "layer", u->dir, e));
	/* An archive need not list its own root. */
	if (fchmod(u->lock, 0755) < 0)
		return failed(u, e);
	TRY(start(u, want, e));
	*ret = take_ptr(&u);
	return 0;
}

int unpacker_grown(struct unpacker *u)
{
	if (send(u->news, "", 1, MSG_NOSIGNAL | MSG_DONTWAIT) >= 0 || errno == EAGAIN || errno == EINTR)
		return 0;
	return -EPIPE;
}

static int reap(struct unpacker *u, int *ret_status, struct nook_error *e)
{
	auto_close int job = take_fd(&u->job);

	if (job >= 0)
		return u->host->wait(job, ret_status, e);
	while (waitpid(u->pid, ret_status, 0) < 0 && errno == EINTR)
		;
	u->pid = 0;
	return 0;
}

/* "sha256:... BYTES ENTRIES"; DIGEST_TEXT_MAX says how long the word can be. */
static int read_facts(const struct unpacker *u, const char *line, struct layer_facts *ret, struct nook_error *e)
{
	unsigned long long bytes, entries;

	if (sscanf(line, "%135s %llu %llu", ret->diff_id, &bytes, &entries) != 3)
		return err_why(e, STEP_UNPACK, u->what, EPROTO, "the unpacker did not tell what it found");
	ret->bytes = bytes;
	ret->entries = entries;
	return 0;
}

/* 'unpack "ENTRY": why': the entry is the object, or the layer where it speaks of none. */
static int refused(const struct unpacker *u, char *line, int errnum, struct nook_error *e)
{
	char *object = strstr(line, "unpack \""), *why = NULL;

	for (char *at = object; at && (at = strstr(at, "\": ")); at++)
		why = at;
	if (!why)
		return err_fmt(e, STEP_UNPACK, u->what, errnum, "%s", line);
	*why = 0;
	object += sizeof("unpack \"") - 1;
	if (text_is(object, "layer") || text_is(object, "archive"))
		return err_fmt(e, STEP_UNPACK, u->what, errnum, "%s", why + 3);
	return err_fmt(e, STEP_UNPACK, object, errnum, "%s", why + 3);
}

int unpacker_finish(struct unpacker *u, struct layer_facts *ret, struct nook_error *e)
{
	char line[SAID_MAX + 1];
	ssize_t n;
	int status = 0;

	close_fd(&u->news);
	n = fd_read(u->said, line, SAID_MAX);
	line[n < 0 ? 0 : n] = 0;
	line[strcspn(line, "\n")] = 0;
	TRY(reap(u, &status, e));
	if (WIFSIGNALED(status))
		return err_fmt(e, STEP_UNPACK, u->what, EIO, "the unpacker was ended by signal %d", WTERMSIG(status));
	if (WEXITSTATUS(status) == 0)
		return read_facts(u, line, ret, e);
	(void)refused(u, line, strstr(line, "No space left") ? ENOSPC : EINVAL, e);
	return WEXITSTATUS(status) == EXIT_NEEDS_LOWERS ? 1 : strstr(line, "No space left") ? -ENOSPC : -EINVAL;
}

const char *unpacker_dir(const struct unpacker *u)
{
	return u->dir;
}

void unpacker_free(struct unpacker *u)
{
	int status = 0;

	if (!u)
		return;
	if (u->pid)
		(void)kill(u->pid, SIGKILL);
	if (u->job >= 0)
		(void)shutdown(u->job, SHUT_WR);
	if (u->pid || u->job >= 0)
		(void)reap(u, &status, NULL);
	close_fd(&u->news);
	close_fd(&u->said);
	if (u->lock >= 0)
		(void)tree_remove(u->depot->fd, u->dir, NULL);
	close_fd(&u->lock);
	free(u);
}
