/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "sys/pty.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <sys/ioctl.h>
#include <sys/vfs.h>

int pty_open_master(int devpts, struct nook_error *e)
{
	struct statfs fs;
	int unlock = 0;

	if (fstatfs(devpts, &fs) < 0)
		return err_sys(e, STEP_CONSOLE, "/dev/pts");
	if (fs.f_type != DEVPTS_SUPER_MAGIC)
		return err_why(e, STEP_CONSOLE, "/dev/pts", EXDEV, "is no devpts file system");
	auto_close int fd = openat(devpts, "ptmx", O_RDWR | O_NOCTTY | O_NOFOLLOW | O_CLOEXEC);

	if (fd < 0 || ioctl(fd, TIOCSPTLCK, &unlock) < 0)
		return err_sys(e, STEP_CONSOLE, "/dev/pts/ptmx");
	return take_fd(&fd);
}

int pty_open_slave(int master, struct nook_error *e)
{
	int fd = ioctl(master, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC);

	return fd < 0 ? err_sys(e, STEP_CONSOLE, "terminal") : fd;
}

int pty_make_controlling(int slave, struct nook_error *e)
{
	return ioctl(slave, TIOCSCTTY, 0) < 0 ? err_sys(e, STEP_CONSOLE, "controlling terminal") : 0;
}

int pty_set_size(int fd, uint16_t rows, uint16_t columns, struct nook_error *e)
{
	const struct winsize size = {.ws_row = rows, .ws_col = columns};

	return ioctl(fd, TIOCSWINSZ, &size) < 0 ? err_sys(e, STEP_CONSOLE, "window size") : 0;
}

int pty_copy_size(int from, int to, struct nook_error *e)
{
	struct winsize size;

	if (ioctl(from, TIOCGWINSZ, &size) < 0 || ioctl(to, TIOCSWINSZ, &size) < 0)
		return err_sys(e, STEP_CONSOLE, "window size");
	return 0;
}

int pty_raw(int fd, struct termios *saved, struct nook_error *e)
{
	struct termios raw;

	if (tcgetattr(fd, saved) < 0)
		return err_sys(e, STEP_CONSOLE, "terminal");
	raw = *saved;
	cfmakeraw(&raw);
	return tcsetattr(fd, TCSANOW, &raw) < 0 ? err_sys(e, STEP_CONSOLE, "terminal") : 0;
}

void pty_restore(int fd, const struct termios *saved)
{
	(void)tcsetattr(fd, TCSADRAIN, saved); /* what was written is shown as it was meant */
}
