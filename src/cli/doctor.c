/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cli/doctor.h"

#include "base/fd.h"
#include "sys/pid.h"

#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

enum { TRIAL_MS = 5000 };

void doctor_add(struct doctor *d, const char *group, const char *name, enum finding_state state, const char *detail,
                const char *fix)
{
	*arena_push(d->arena, &d->items, &d->n) = (struct finding){
		.group = group,
		.name = name,
		.state = state,
		.detail = detail ? detail : "",
		.fix = state == FINDING_OK ? NULL : fix,
	};
}

/* Told apart, because what is denied has a reason that only the hints know, and what is absent a remedy of its own. */
static bool is_absent(int errnum)
{
	return errnum == ENODEV || errnum == EOPNOTSUPP || errnum == EINVAL || errnum == ENOSYS || errnum == ENOENT ||
	       errnum == ENXIO;
}

void doctor_add_trial(struct doctor *d, const char *group, const char *name, int r, enum step_id step,
                      enum finding_state otherwise, const char *ok_detail, const char *fix)
{
	struct nook_error e = NOOK_ERROR_INIT;
	const char *hint;

	if (r == 0) {
		doctor_add(d, group, name, FINDING_OK, ok_detail, NULL);
		return;
	}
	(void)err_num(&e, step, name, r);
	hint = nook_error_hint(&e);
	if (!hint || (fix && is_absent(-r)))
		hint = fix;
	doctor_add(d, group, name, otherwise, arena_strdup(d->arena, strerror(-r)), hint);
}

bool doctor_lacks_userns(struct doctor *d, const char *group, const char *name, enum finding_state state)
{
	if (!d->has_userns)
		doctor_add(d, group, name, state, "needs a user namespace", d->userns_fix);
	return !d->has_userns;
}

int doctor_try(int (*trial)(const void *arg), const void *arg)
{
	pid_t pid = fork();
	int status, r;

	if (pid == 0) {
		r = trial(arg);
		_exit(r < 0 ? -r : 0);
	}
	if (pid < 0)
		return -errno;
	auto_close int pidfd = pid_open_child(pid, NULL);

	r = pidfd < 0 ? pidfd : pid_wait_end(pidfd, TRIAL_MS, NULL);
	if (r < 0)
		(void)kill(pid, SIGKILL);
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	if (r < 0)
		return r;
	return WIFSIGNALED(status) ? -EPROTO : -WEXITSTATUS(status);
}

static int write_map(const char *file, unsigned id)
{
	char line[32];

	(void)snprintf(line, sizeof(line), "0 %u 1\n", id);
	return file_write(AT_FDCWD, file, line, STEP_IDMAP, NULL);
}

int doctor_unshare(int flags)
{
	unsigned uid = geteuid(), gid = getegid();

	if (unshare(flags) < 0)
		return -errno;
	if (!(flags & CLONE_NEWUSER))
		return 0;
	TRY(file_write(AT_FDCWD, "/proc/self/setgroups", "deny", STEP_IDMAP, NULL));
	TRY(write_map("/proc/self/uid_map", uid));
	return write_map("/proc/self/gid_map", gid);
}

int doctor_unshare_as_needed(int flags)
{
	return doctor_unshare(flags | (geteuid() ? CLONE_NEWUSER : 0));
}
