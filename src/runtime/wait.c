/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The supervisor writes the exit status into the state (seen by inotify) or, with --rm, removes it.  Then the kernel is
 * asked, which tells the status of a process that was waited for, from 6.15 on.
 */
#include "runtime/wait.h"

#include "runtime/store.h"
#include "sys/pid.h"

#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>

/* struct pidfd_info of <linux/pidfd.h>, which older headers lack. */
struct exit_info {
	uint64_t mask;
	uint64_t cgroupid;
	uint32_t ids[11];
	int32_t exit_code;
};
enum { INFO_EXIT = 1 << 3 };
#define PIDFD_ASK _IOWR(0xFF, 11, struct exit_info)

struct watch {
	struct store_run *run;
	const char *id;
	int init, supervisor, changes; /* descriptors, or negative */
	bool ended;                    /* init has, or never was */
	bool supervised;
};

static void watch_done(struct watch *w)
{
	close_fd(&w->init);
	close_fd(&w->supervisor);
	close_fd(&w->changes);
}

/* 0..255, or -1 when this kernel does not tell. */
static int status_of(int pidfd)
{
	struct exit_info info = {.mask = INFO_EXIT};
	int code;

	if (pidfd < 0 || ioctl(pidfd, PIDFD_ASK, &info) < 0 || !(info.mask & INFO_EXIT))
		return -1;
	code = info.exit_code;
	return code & 0x7f ? 128 + (code & 0x7f) : (code >> 8) & 0xff;
}

static int open_process(pid_t pid, uint64_t start)
{
	auto_close int proc = open("/proc", O_PATH | O_DIRECTORY | O_CLOEXEC);

	return pid ? pid_open(proc, pid, start, NULL) : -ESRCH;
}

/* The descriptors of the processes that the state names by now. */
static void follow(struct watch *w, const struct container *c)
{
	if (w->init < 0)
		w->init = open_process(c->pid, c->pid_start);
	if (w->supervisor < 0)
		w->supervisor = open_process(c->supervisor, c->supervisor_start);
	w->supervised = w->supervisor >= 0 && !pid_has_ended(w->supervisor);
	w->ended = w->init < 0 ? !c->creating || !w->supervised : pid_has_ended(w->init);
}

/* The status, -EAGAIN while there is more to come, or another -errno. */
static int look(struct watch *w, struct nook_error *e)
{
	AUTO(arena_free) struct arena *a = arena_new();
	struct container c;
	bool here = container_load(w->run, w->id, a, &c, NULL) == 0 && !c.damage[0];
	int status;

	if (here) {
		if (c.finished_ns && c.exit_status >= 0)
			return c.exit_status;
		follow(w, &c);
		if (!w->ended || w->supervised)
			return -EAGAIN;
	}
	status = status_of(w->init);
	if (status >= 0)
		return status;
	return err_why(e, STEP_WAIT, w->id, ESRCH, here ? "it has ended, and nobody saw with which status"
	                                                : "it was removed when it ended, and its status with it");
}

static int wait_for_news(struct watch *w, struct nook_error *e)
{
	/* An end is told for ever: who has ended is not asked again. */
	struct pollfd p[] = {
		{w->ended ? -1 : w->init, POLLIN, 0}, {w->supervised ? w->supervisor : -1, POLLIN, 0}, {w->changes, POLLIN, 0}};
	char events[4096];

	if (poll(p, sizeof(p) / sizeof(p[0]), -1) < 0 && errno != EINTR)
		return err_sys(e, STEP_WAIT, w->id);
	if (p[2].revents && read(w->changes, events, sizeof(events)) < 0 && errno != EAGAIN && errno != EINTR)
		return err_sys(e, STEP_WAIT, w->id);
	return 0;
}

/* After this, no change of the state goes unseen; a directory that is gone already is seen by look(). */
static int watch_start(struct watch *w, struct nook_error *e)
{
	char path[PATH_MAX];

	w->changes = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
	if (w->changes < 0)
		return err_sys(e, STEP_WAIT, w->id);
	(void)snprintf(path, sizeof(path), "%s/" STORE_CONTAINERS "/%s", w->run->path, w->id);
	if (inotify_add_watch(w->changes, path, IN_MOVED_TO | IN_DELETE | IN_DELETE_SELF | IN_ONLYDIR) < 0 && errno != ENOENT)
		return err_sys(e, STEP_WAIT, w->id);
	return 0;
}

int container_wait(struct store_run *r, const struct container *c, struct nook_error *e)
{
	AUTO_VALUE(watch_done) struct watch w = {.run = r, .id = c->id, .init = -EBADF, .supervisor = -EBADF, .changes = -EBADF};
	int n;

	follow(&w, c);
	TRY(watch_start(&w, e));
	while ((n = look(&w, e)) == -EAGAIN)
		TRY(wait_for_news(&w, e));
	return n;
}
