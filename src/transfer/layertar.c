/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "transfer/layertar.h"

#include "base/fd.h"
#include "runtime/mapped.h"
#include "stream/tree.h"

#include <signal.h>
#include <sys/wait.h>

enum { EXIT_FAILED = 1 };

struct job {
	int dir, out, words; /* the tree, the stream, and where an error goes */
	unsigned flags;
};

/* Maybe in another user namespace: nothing but descriptors is used. */
static int write_tree(const void *data)
{
	const struct job *j = data;
	struct nook_error e = NOOK_ERROR_INIT;

	if (tree_write(j->dir, NULL, "", j->flags, j->out, &e) >= 0)
		return 0;
	(void)fd_write(j->words, &e, sizeof(e));
	return EXIT_FAILED;
}

static _Noreturn void child(const struct job *j, const struct idrange *range)
{
	struct nook_error e = NOOK_ERROR_INIT;
	int r = range ? mapped_run(range, write_tree, j, &e) : write_tree(j);

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

int layertar_add(struct newlayer *l, int dir, unsigned flags, const struct idrange *range, struct nook_error *e)
{
	int stream[2] = {-EBADF, -EBADF}, words[2] = {-EBADF, -EBADF}, status = 0, r;
	struct job j = {.dir = dir, .flags = flags};
	pid_t pid = -1;

	if (pipe2(stream, O_CLOEXEC) == 0 && pipe2(words, O_CLOEXEC) == 0) {
		(void)fcntl(stream[1], F_SETPIPE_SZ, 1 << 20);
		j.out = stream[1];
		j.words = words[1];
		pid = fork();
	}
	if (pid == 0)
		child(&j, range);
	r = pid < 0 ? err_sys(e, STEP_IMAGE, "new layer") : 0;
	close_fd(&stream[1]);
	close_fd(&words[1]);
	if (r == 0)
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
