/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "runtime/tar.h"

#include "base/fd.h"
#include "base/spawn.h"
#include "base/text.h"
#include "sys/selfexe.h"

#include <limits.h>
#include <stdio.h>
#include <sys/stat.h>

enum { UNPACK_TIMEOUT_MS = INT_MAX, SIGNAL_BASE = 128 };

int helper_find(const char *name, char *path, size_t size, struct nook_error *e)
{
	char own[PATH_MAX];

	if (selfexe_dir(own, sizeof(own), NULL) == 0 && snprintf(path, size, "%s/%s", own, name) < (int)size &&
		access(path, X_OK) == 0)
		return 0;
	if (snprintf(path, size, "%s/%s", NOOK_LIBEXEC, name) < (int)size && access(path, X_OK) == 0)
		return 0;
	return err_fmt(e, STEP_SPAWN, name, ENOENT, "is neither beside nook nor in %s", NOOK_LIBEXEC);
}

/* The helper works in another directory, so the name must be absolute; looked at first, for the better message. */
static int archive_path(const char *archive, char *path, struct nook_error *e)
{
	auto_close int fd = open(archive, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0)
		return err_sys(e, STEP_SOURCE, archive);
	if (S_ISDIR(st.st_mode))
		return err_why(e, STEP_SOURCE, archive, EISDIR, "is a directory, and no archive: dir: takes those");
	if (!S_ISREG(st.st_mode))
		return err_why(e, STEP_SOURCE, archive, EINVAL, "is no regular file");
	return realpath(archive, path) ? 0 : err_sys(e, STEP_SOURCE, archive);
}

int tar_unpack(const char *archive, int target, struct nook_error *e)
{
	char program[PATH_MAX], path[PATH_MAX];
	const char *const argv[] = {program, "--target", ".", "--skip-devices", "--quiet", "--", path, NULL};
	const struct spawn s = {.argv = argv, .cwd = target, .timeout_ms = UNPACK_TIMEOUT_MS};
	AUTO_VALUE(buf_done) struct buf out = {0};
	const char *said;
	int status;

	TRY(archive_path(archive, path, e));
	TRY(helper_find("nook-unpack", program, sizeof(program), e));
	status = TRY(spawn_run(&s, &out, e));
	if (status == 0)
		return 0;
	if (status > SIGNAL_BASE)
		return err_fmt(e, STEP_UNPACK, archive, EIO, "the unpacker was ended by signal %d", status - SIGNAL_BASE);
	if (out.len && out.data[out.len - 1] == '\n')
		out.data[--out.len] = 0;
	said = text_after(buf_text(&out), "unpack ");
	return err_fmt(e, STEP_UNPACK, archive, EINVAL, "%s", said ? said : buf_text(&out));
}
