/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "sys/selfexe.h"

#include "base/fd.h"
#include "sys/mountapi.h"
#include "sys/opentree.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <unistd.h>

#ifndef MFD_EXEC
#define MFD_EXEC 0x10U
#endif

static const char self[] = "/proc/self/exe";
/* Where the program's file is, told to the program that is started anew: its own link leads nowhere then. */
static const char was_in[] = "NOOK_STARTED_IN";

enum { SEALS = F_SEAL_SEAL | F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW };

/* Has this program been started by descriptor, as selfexe_protect() does it? */
static bool is_started_anew(void)
{
	const char *name = (const char *)(uintptr_t)getauxval(AT_EXECFN);

	return name && !strncmp(name, "/dev/fd/", 8);
}

int selfexe_dir(char *path, size_t size, struct nook_error *e)
{
	const char *was = is_started_anew() ? secure_getenv(was_in) : NULL;
	ssize_t n = was ? 0 : readlink(self, path, size - 1);
	char *slash;

	if (was)
		return snprintf(path, size, "%s", was) < (int)size ? 0 : err_num(e, STEP_PROC, self, ENAMETOOLONG);
	if (n < 0)
		return err_sys(e, STEP_PROC, self);
	path[n] = 0;
	slash = strrchr(path, '/');
	if (slash)
		*slash = 0;
	return slash ? 0 : err_num(e, STEP_PROC, self, ENOENT);
}

/* A sealed copy has no name and no link. */
static bool is_sealed(void)
{
	struct stat st;

	return is_started_anew() && stat(self, &st) == 0 && !st.st_nlink;
}

bool selfexe_is_protected(void)
{
	struct statfs fs;
	/* Root may write any file that is not on a read-only mount. */
	bool is = (statfs(self, &fs) == 0 && fs.f_flags & ST_RDONLY) || is_sealed() ||
		(geteuid() != 0 && faccessat(AT_FDCWD, self, W_OK, AT_EACCESS) < 0);

	/* Older kernels name a program that was started by descriptor after the descriptor's number. */
	if (is && is_started_anew())
		(void)prctl(PR_SET_NAME, program_invocation_short_name, 0, 0, 0);
	return is;
}

/* A descriptor, or -errno: -EPERM for an ordinary user. */
static int readonly_mount(void)
{
	const unsigned flags = OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC;
	const struct mount_attr readonly = {.attr_set = MOUNT_ATTR_RDONLY, .propagation = MS_PRIVATE};
	auto_close int mnt = opentree_attr(AT_FDCWD, self, flags, &readonly);
	int r;

	if (mnt >= 0)
		return take_fd(&mnt);
	mnt = open_tree(AT_FDCWD, self, flags);
	r = mnt < 0 ? -errno : mount_attrs(mnt, 0, MOUNT_ATTR_RDONLY, 0, MS_PRIVATE, -EBADF);
	return r < 0 ? r : take_fd(&mnt);
}

static int sealed_copy(struct nook_error *e)
{
	auto_close int from = open(self, O_RDONLY | O_CLOEXEC);
	auto_close int to = memfd_create("nook", MFD_CLOEXEC | MFD_ALLOW_SEALING | MFD_EXEC);
	ssize_t n;

	/* Before Linux 6.3 there was no such flag, and every memfd could be executed. */
	if (to < 0 && errno == EINVAL)
		to = memfd_create("nook", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (from < 0 || to < 0)
		return err_sys(e, STEP_EXEC, self);
	while ((n = sendfile(to, from, NULL, 1 << 30)) > 0)
		;
	if (n < 0 || fcntl(to, F_ADD_SEALS, SEALS) < 0)
		return err_sys(e, STEP_EXEC, self);
	return take_fd(&to);
}

void selfexe_note_dir(void)
{
	char dir[PATH_MAX];

	if (selfexe_dir(dir, sizeof(dir), NULL) == 0)
		(void)setenv(was_in, dir, 1);
}

int selfexe_protect(char *const *argv, struct nook_error *e)
{
	auto_close int again = readonly_mount();

	if (again < 0)
		again = TRY(sealed_copy(e));
	(void)syscall(SYS_execveat, again, "", argv, environ, AT_EMPTY_PATH);
	return err_sys(e, STEP_EXEC, self);
}
