/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "sys/selfexe.h"

#include "base/fd.h"
#include "sys/mountapi.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifndef MFD_EXEC
#define MFD_EXEC 0x10U
#endif

static const char self[] = "/proc/self/exe";

enum { SEALS = F_SEAL_SEAL | F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW };

static bool is_protected(int file)
{
	struct statvfs fs;
	struct stat st;

	/* A sealed copy has no name and no link. */
	if (fstat(file, &st) == 0 && !st.st_nlink)
		return true;
	if (fstatvfs(file, &fs) == 0 && fs.f_flag & ST_RDONLY)
		return true;
	return syscall(SYS_faccessat2, file, "", W_OK, AT_EMPTY_PATH | AT_EACCESS) < 0;
}

/* A descriptor, or -errno: -EPERM for an ordinary user. */
static int readonly_mount(int file)
{
	auto_close int mnt = mount_copy(file, 0);
	int r = mnt < 0 ? mnt : mount_attrs(mnt, 0, MOUNT_ATTR_RDONLY, 0, MS_PRIVATE, -EBADF);

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

int selfexe_protect(char *const *argv, struct nook_error *e)
{
	auto_close int file = open(self, O_PATH | O_CLOEXEC), again = -EBADF;

	if (file < 0)
		return err_sys(e, STEP_PROC, self);
	if (is_protected(file)) {
		/* Older kernels name a program that was started by descriptor after the descriptor's number. */
		(void)prctl(PR_SET_NAME, program_invocation_short_name, 0, 0, 0);
		return 0;
	}
	again = readonly_mount(file);
	if (again < 0)
		again = TRY(sealed_copy(e));
	(void)syscall(SYS_execveat, again, "", argv, environ, AT_EMPTY_PATH);
	return err_sys(e, STEP_EXEC, self);
}
