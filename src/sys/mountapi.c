/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "sys/mountapi.h"

#include <stdbool.h>
#include <string.h>
#include <sys/syscall.h>

enum { MESSAGE_MAX = 512, MESSAGES_MAX = 16 };

/* What the kernel says about the last failure on a file system context, without its "e " prefix: the length, 0 when it
 * said nothing.  BUF is always terminated; errno is kept.  Several messages: the last error, else the last one. */
static size_t fs_message(int fs, char *buf, size_t size)
{
	char line[MESSAGE_MAX];
	bool has_error = false;
	int saved = errno;
	size_t len = 0;

	buf[0] = 0;
	/* Each read(2) takes one message off the context's log, ENODATA ends it. */
	for (int i = 0; i < MESSAGES_MAX; i++) {
		ssize_t n = read(fs, line, sizeof(line));
		bool is_error = n > 2 && line[0] == 'e';

		if (n < 0)
			break;
		if (n < 3 || line[1] != ' ' || (has_error && !is_error))
			continue;
		has_error = has_error || is_error;
		n -= n > 2 && line[n - 1] == '\n';
		len = (size_t)n - 2 < size - 1 ? (size_t)n - 2 : size - 1;
		memcpy(buf, line + 2, len);
		buf[len] = 0;
	}
	errno = saved;
	return len;
}

int err_fs(struct nook_error *e, enum step_id step, const char *object, int fs)
{
	char why[NOOK_DETAIL_MAX];
	int r = err_sys(e, step, object);

	if (e && fs >= 0 && fs_message(fs, why, sizeof(why)))
		err_detail(e, why);
	return r;
}

int fs_params(int fs, const char *const *params, size_t n, enum step_id step, const char *object, struct nook_error *e)
{
	for (size_t i = 0; i < n; i++) {
		const char *key = params[2 * i], *value = params[2 * i + 1];
		int r = value && *value ? fsconfig(fs, FSCONFIG_SET_STRING, key, value, 0)
		                        : fsconfig(fs, FSCONFIG_SET_FLAG, key, NULL, 0);

		if (r < 0)
			return err_fs(e, step, object, fs);
	}
	return 0;
}

int fs_mount_new(const char *fstype, const char *const *params, size_t n, unsigned attr, enum step_id step,
                 const char *object, struct nook_error *e)
{
	auto_close int fs = fsopen(fstype, FSOPEN_CLOEXEC);
	int mnt;

	if (fs < 0)
		return err_sys(e, step, object);
	TRY(fs_params(fs, params, n, step, object, e));
	if (fsconfig(fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0)
		return err_fs(e, step, object, fs);
	mnt = fsmount(fs, FSMOUNT_CLOEXEC, attr);
	return mnt < 0 ? err_fs(e, step, object, fs) : mnt;
}

int mount_pivot(int root, struct nook_error *e)
{
	if (fchdir(root) < 0)
		return err_sys(e, STEP_PIVOT, "/");
	/* The old root lands on top of the new one, which is ".", and is taken away from there: no directory is needed. */
	if (syscall(SYS_pivot_root, ".", ".") < 0)
		return err_sys(e, STEP_PIVOT, "/");
	if (umount2(".", MNT_DETACH) < 0)
		return err_sys(e, STEP_PIVOT, "old root");
	if (chdir("/") < 0)
		return err_sys(e, STEP_PIVOT, "/");
	return 0;
}
