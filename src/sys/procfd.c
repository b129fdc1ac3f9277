/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "sys/procfd.h"

#include "sys/mountapi.h"
#include "sys/openat2.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>

/* The inode number that every procfs gives its root. */
enum { PROC_ROOT_INODE = 1 };

int procfd_check(int fd)
{
	struct statfs fs;

	if (fstatfs(fd, &fs) < 0)
		return -errno;
	return fs.f_type == PROC_SUPER_MAGIC ? 0 : -EXDEV;
}

int procfd_open(struct nook_error *e)
{
	auto_close int fd = open("/proc", O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	struct stat st;

	if (fd < 0)
		return err_sys(e, STEP_PROC, "/proc");
	if (procfd_check(fd) < 0 || fstat(fd, &st) < 0 || st.st_ino != PROC_ROOT_INODE)
		return err_why(e, STEP_PROC, "/proc", EXDEV, "is no proc file system");
	return take_fd(&fd);
}

int procfd_open_private(struct nook_error *e)
{
	int mnt = fs_mount_new("proc", NULL, 0, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC, STEP_PROC, "proc",
		NULL);

	return mnt >= 0 ? mnt : procfd_open(e);
}

int procfd_path(int proc, const char *name, int flags, enum step_id step, struct nook_error *e)
{
	int fd = openat2_raw(proc, name, flags, 0, RESOLVE_BENEATH | RESOLVE_NO_XDEV | RESOLVE_NO_MAGICLINKS);

	if (fd == -EXDEV)
		return err_why(e, step, name, EXDEV, "something is mounted over it in /proc");
	return fd < 0 ? err_num(e, step, name, fd) : fd;
}

int procfd_write(int proc, const char *name, const char *text, enum step_id step, struct nook_error *e)
{
	auto_close int fd = TRY(procfd_path(proc, name, O_WRONLY, step, e));

	/* procfs takes a value in one piece: a second write(2) of the rest would be another value. */
	if (write(fd, text, strlen(text)) < 0)
		return err_sys(e, step, name);
	return 0;
}
