/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "transfer/rootfile.h"

#include "base/fd.h"
#include "base/spawn.h"
#include "base/text.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

enum { COPY_BLOCK = 128 << 10, MAGIC_SIZE = 6 };

static int nameless(struct depot *d, struct nook_error *e)
{
	int fd = openat(d->fd, "ingest", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);

	return fd < 0 ? err_sys(e, STEP_IMAGE, "ingest") : fd;
}

static int copy_stream(struct depot *d, int from, const char *what, struct nook_error *e)
{
	auto_close int to = TRY(nameless(d, e));
	auto_free char *block = xcalloc(1, COPY_BLOCK);
	ssize_t n;
	int r = 0;

	while (r == 0 && (n = fd_read(from, block, COPY_BLOCK)) > 0)
		r = fd_write(to, block, (size_t)n);
	if (r == 0 && n < 0)
		r = (int)n;
	return r < 0 ? err_num(e, STEP_SOURCE, what, r) : take_fd(&to);
}

/* By the program that is made for it: such archives are rare, and their libraries are not for this process. */
static int decompress(struct depot *d, int from, const char *program, const char *what, struct nook_error *e)
{
	auto_close int to = TRY(nameless(d, e));
	char path[64];
	int status;

	/* The program's own view of /proc shows it our descriptor. */
	(void)snprintf(path, sizeof(path), "/proc/%d/fd/%d", (int)getpid(), from);
	status = TRY(spawn_run(&(struct spawn){.argv = (const char *const[]){program, "-dc", path, NULL}, .timeout_ms = -1, .stdout_fd = to},
		NULL, e));
	if (status != 0)
		return err_fmt(e, STEP_SOURCE, what, EINVAL, "%s cannot read it", program);
	return take_fd(&to);
}

int rootfile_open(struct depot *d, const char *file, struct nook_error *e)
{
	auto_close int fd = text_is(file, "-") ? fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 3) : open(file, O_RDONLY | O_CLOEXEC);
	unsigned char magic[MAGIC_SIZE] = {0};
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0)
		return err_sys(e, STEP_SOURCE, file);
	if (!S_ISREG(st.st_mode)) {
		int copy = TRY(copy_stream(d, fd, file, e));

		close_fd(&fd);
		fd = copy;
	}
	if (pread(fd, magic, sizeof(magic), 0) < 0)
		return err_sys(e, STEP_SOURCE, file);
	if (memcmp(magic, "\xfd" "7zXZ", MAGIC_SIZE) == 0)
		return decompress(d, fd, "xz", file, e);
	if (memcmp(magic, "BZh", 3) == 0)
		return decompress(d, fd, "bzip2", file, e);
	return take_fd(&fd);
}
