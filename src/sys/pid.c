/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "sys/pid.h"

#include "base/clock.h"
#include "base/fd.h"

#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

/* Enough for the fields up to the start time with the longest command name. */
enum { FIELD_START = 22, FIELD_IGNORED = 33, STAT_MAX = 1024, PATH_ROOM = 32, NUMBER_ROOM = 12 };

static const char *decimal(pid_t pid, char room[static NUMBER_ROOM])
{
	char *p = room + NUMBER_ROOM - 1;
	unsigned n = (unsigned)pid;

	*p = 0;
	do
		*--p = (char)('0' + n % 10);
	while (n /= 10);
	return p;
}

int pid_stat_parse(const char *text, struct pid_stat *ret)
{
	/* The name is whatever the process chose, ")" and blanks included: it ends at the last ")". */
	const char *open = strchr(text, '('), *close = strrchr(text, ')');
	unsigned long long field[FIELD_IGNORED + 1] = {0};
	size_t len;
	char *end;

	if (!open || !close || close < open || close[1] != ' ' || !close[2] || close[3] != ' ')
		return -EINVAL;
	end = (char *)close + 3;
	for (size_t i = 4; i <= FIELD_IGNORED; i++) {
		const char *from = end;

		field[i] = strtoull(from, &end, 10);
		if (end == from && i <= FIELD_START)
			return -EINVAL;
	}
	len = (size_t)(close - open - 1);
	if (len >= sizeof(ret->comm))
		len = sizeof(ret->comm) - 1;
	memcpy(ret->comm, open + 1, len);
	ret->comm[len] = 0;
	ret->pid = (pid_t)strtol(text, NULL, 10);
	ret->state = close[2];
	ret->parent = (pid_t)field[4];
	ret->group = (pid_t)field[5];
	ret->session = (pid_t)field[6];
	ret->user_ticks = field[14];
	ret->system_ticks = field[15];
	ret->children_user_ticks = field[16];
	ret->children_system_ticks = field[17];
	ret->start = field[FIELD_START];
	ret->ignored = field[FIELD_IGNORED];
	return 0;
}

static int stat_read(int proc, const char *path, struct pid_stat *ret)
{
	char text[STAT_MAX];
	auto_close int fd = openat(proc, path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	ssize_t n;

	if (fd < 0)
		return errno == ENOENT ? -ESRCH : -errno;
	n = fd_read_once(fd, text, sizeof(text) - 1);
	if (n < 0)
		return (int)n;
	text[n] = 0;
	return pid_stat_parse(text, ret);
}

int pid_stat(int proc, pid_t pid, struct pid_stat *ret)
{
	char path[PATH_ROOM], number[NUMBER_ROOM];

	if (pid <= 0)
		return -ESRCH;
	(void)stpcpy(stpcpy(stpcpy(path, proc == AT_FDCWD ? "/proc/" : ""), decimal(pid, number)), "/stat");
	return stat_read(proc, path, ret);
}

int pid_stat_self(struct pid_stat *ret)
{
	return stat_read(AT_FDCWD, "/proc/self/stat", ret);
}

int pid_start_time(int proc, pid_t pid, uint64_t *ret)
{
	struct pid_stat st = {0};
	int r = pid_stat(proc, pid, &st);

	if (!r)
		*ret = st.start;
	return r;
}

int pid_open_child(pid_t pid, struct nook_error *e)
{
	char number[NUMBER_ROOM];
	long fd = syscall(SYS_pidfd_open, pid, 0);

	/* EINVAL: the number is a thread's by now, so the process has ended. */
	if (fd < 0 && errno == EINVAL)
		errno = ESRCH;
	return fd < 0 ? err_sys(e, STEP_WAIT, decimal(pid, number)) : (int)fd;
}

int pid_open(int proc, pid_t pid, uint64_t start, struct nook_error *e)
{
	char number[NUMBER_ROOM];
	uint64_t now = 0;
	int r;

	if (pid <= 0)
		return err_num(e, STEP_WAIT, "0", ESRCH);
	auto_close int fd = TRY(pid_open_child(pid, e));

	/* Read after opening: if the times agree now, the descriptor cannot be of a later process of this number. */
	r = pid_start_time(proc, pid, &now);
	if (!r && now != start)
		r = -ESRCH;
	return r < 0 ? err_num(e, STEP_WAIT, decimal(pid, number), r) : take_fd(&fd);
}

int pid_open_inode(pid_t pid, uint64_t inode, struct nook_error *e)
{
	auto_close int fd = TRY(pid_open_child(pid, e));
	char number[NUMBER_ROOM];
	struct stat st;

	if (fstat(fd, &st) < 0)
		return err_sys(e, STEP_WAIT, decimal(pid, number));
	return st.st_ino == inode ? take_fd(&fd) : err_num(e, STEP_WAIT, decimal(pid, number), ESRCH);
}

int pid_signal(int pidfd, int signal, struct nook_error *e)
{
	if (syscall(SYS_pidfd_send_signal, pidfd, signal, NULL, 0) < 0)
		return err_sys(e, STEP_SIGNAL, sigabbrev_np(signal));
	return 0;
}

int pid_wait_end(int pidfd, int timeout_ms, struct nook_error *e)
{
	struct pollfd p = {.fd = pidfd, .events = POLLIN};
	int64_t end = timeout_ms < 0 ? 0 : clock_ms() + timeout_ms;
	int left = timeout_ms;

	for (;;) {
		int r = poll(&p, 1, left);

		if (r > 0)
			return 0;
		if (r == 0)
			return err_num(e, STEP_WAIT, "process", ETIMEDOUT);
		if (errno != EINTR)
			return err_sys(e, STEP_WAIT, "process");
		if (timeout_ms >= 0)
			left = end > clock_ms() ? (int)(end - clock_ms()) : 0;
	}
}

int pid_reap(int pidfd, struct nook_error *e)
{
	siginfo_t info = {0};

	while (waitid(P_PIDFD, (id_t)pidfd, &info, WEXITED) < 0)
		if (errno != EINTR)
			return err_sys(e, STEP_WAIT, "process");
	return info.si_code == CLD_EXITED ? info.si_status : 128 + info.si_status;
}

bool pid_has_ended(int pidfd)
{
	struct pollfd p = {.fd = pidfd, .events = POLLIN};

	return poll(&p, 1, 0) > 0;
}
