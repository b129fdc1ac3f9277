/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "transfer/layertar.h"

#include "base/fd.h"
#include "runtime/mapped.h"
#include "stream/tree.h"

#include <signal.h>
#include <sys/wait.h>

enum { EXIT_FAILED = 1 };

struct job {
	const struct layertar_work *work;
	int out, words; /* the stream, and where an error goes */
};

/* Maybe in another user namespace: nothing but descriptors is used. */
static int job_run(const void *data)
{
	const struct job *j = data;
	struct nook_error e = NOOK_ERROR_INIT;

	if (j->work->write(j->work->data, j->out, &e) >= 0)
		return 0;
	(void)fd_write(j->words, &e, sizeof(e));
	return EXIT_FAILED;
}

static _Noreturn void child(const struct job *j)
{
	struct nook_error e = NOOK_ERROR_INIT;
	int r = j->work->range ? mapped_run(j->work->range, job_run, j, &e) : job_run(j);

	if (r < 0)
		(void)fd_write(j->words, &e, sizeof(e));
	_exit(r ? EXIT_FAILED : 0);
}

/* Its own words, if it left some. */
static int child_failed(int words, struct nook_error *e)
{
	struct nook_error said = NOOK_ERROR_INIT;

	if (fd_read(words, &said, sizeof(said)) != sizeof(said))
		return err_why(e, STEP_IMAGE, "new layer", EIO, "the process that reads the files has died");
	if (e)
		*e = said;
	return -EIO;
}

int layertar_run(struct newlayer *l, const struct layertar_work *work, struct nook_error *e)
{
	int stream[2] = {-EBADF, -EBADF}, words[2] = {-EBADF, -EBADF}, status = 0, r;
	struct job j = {.work = work};
	pid_t pid = -1;

	if (pipe2(stream, O_CLOEXEC) == 0 && pipe2(words, O_CLOEXEC) == 0) {
		(void)fcntl(stream[1], F_SETPIPE_SZ, 1 << 20);
		j.out = stream[1];
		j.words = words[1];
		pid = fork();
	}
	if (pid == 0) {
		/* Who holds an end that is read waits for ever for itself when nobody else reads any more. */
		(void)close(stream[0]);
		(void)close(words[0]);
		child(&j);
	}
	r = pid < 0 ? err_sys(e, STEP_IMAGE, "new layer") : 0;
	close_fd(&stream[1]);
	close_fd(&words[1]);
	if (r == 0 && l)
		r = newlayer_read(l, stream[0], e);
	if (r < 0 && pid > 0)
		(void)kill(pid, SIGKILL);
	close_fd(&stream[0]);
	while (pid > 0 && waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	if (r == 0 && status != 0)
		r = child_failed(words[0], e);
	close_fd(&words[0]);
	return r;
}

struct tree {
	int dir;
	unsigned flags;
};

static int write_tree(const void *data, int out, struct nook_error *e)
{
	const struct tree *t = data;

	return tree_write(t->dir, NULL, "", t->flags, out, e);
}

int layertar_add(struct newlayer *l, int dir, unsigned flags, const struct idrange *range, struct nook_error *e)
{
	const struct tree tree = {.dir = dir, .flags = flags};

	return layertar_run(l, &(struct layertar_work){.write = write_tree, .data = &tree, .range = range}, e);
}
