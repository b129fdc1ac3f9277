/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cli/doctor.h"

#include "base/buf.h"

#include <fcntl.h>
#include <sched.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#define GROUP "kernel"

/* Calls that nook cannot do without, and the Linux that brought them. */
static const struct {
	const char *name;
	long number;
	const char *since;
} calls[] = {
	{"clone3", SYS_clone3, "5.3"},         {"pidfd_open", SYS_pidfd_open, "5.3"},   {"open_tree", SYS_open_tree, "5.2"},
	{"move_mount", SYS_move_mount, "5.2"}, {"fsopen", SYS_fsopen, "5.2"},           {"openat2", SYS_openat2, "5.6"},
	{"close_range", SYS_close_range, "5.9"}, {"mount_setattr", SYS_mount_setattr, "5.12"},
};

/* With arguments that no call takes.  Filters of older container engines answer EPERM to what they do not know, but so
 * does the kernel to those who may not mount. */
static int try_call(const void *arg)
{
	bool may_mount = doctor_unshare_as_needed(CLONE_NEWNS) == 0;

	if (syscall(*(const long *)arg, -1, -1, -1, -1, -1) >= 0)
		return 0;
	return errno == ENOSYS || (errno == EPERM && may_mount) ? -ENOSYS : 0;
}

static void check_calls(struct doctor *d)
{
	AUTO_VALUE(buf_done) struct buf missing = {0};

	for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++)
		if (doctor_try(try_call, &calls[i].number) < 0)
			buf_addf(&missing, "%s%s (Linux %s)", missing.len ? ", " : "", calls[i].name, calls[i].since);
	if (!missing.len)
		doctor_add(d, GROUP, "system calls", FINDING_OK, "all that are needed", NULL);
	else
		doctor_add(d, GROUP, "system calls", FINDING_MISSING, arena_printf(d->arena, "not there: %s", buf_text(&missing)),
		           "use a newer kernel, or, in a container, let its seccomp profile allow them");
}

/* Where state will be kept: the directory, or the nearest one above it that exists. */
static void check_place(struct doctor *d, const char *name, const char *dir, const char *fix)
{
	char *path = arena_strdup(d->arena, dir);
	struct stat st;

	while (stat(path, &st) < 0 && errno == ENOENT && strrchr(path, '/') > path)
		*strrchr(path, '/') = 0;
	if (faccessat(AT_FDCWD, path, W_OK | X_OK, AT_EACCESS) == 0)
		doctor_add(d, GROUP, name, FINDING_OK, dir, NULL);
	else
		doctor_add(d, GROUP, name, FINDING_MISSING, arena_printf(d->arena, "%s: %s", dir, strerror(errno)), fix);
}

void doctor_kernel(struct doctor *d)
{
	check_calls(d);
	check_place(d, "state directory", d->cli->run, "choose another one with --run DIR (or NOOK_RUN)");
	check_place(d, "image directory", d->cli->root, "choose another one with --root DIR (or NOOK_ROOT)");
}
