/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "launch/mounts.h"

#include "launch/walk.h"
#include "sys/inroot.h"

#include <fcntl.h>
#include <limits.h>
#include <linux/capability.h>
#include <sched.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

static bool may_mount(void)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[2] = {{0}, {0}};

	return syscall(SYS_capget, &header, data) == 0 && data[0].effective & 1U << CAP_SYS_ADMIN;
}

/* An ordinary user has the right to mount in the container's user namespace alone, where a copy of what he sees outside
 * becomes a namespace of that one: 1, he is there now. */
static int become_able(int pidfd, struct nook_error *e)
{
	/* What lives there must not look into this process. */
	(void)prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
	if (may_mount())
		return 0;
	return setns(pidfd, CLONE_NEWUSER) < 0 ? err_sys(e, STEP_NAMESPACE, "user") : 1;
}

static int open_sources(struct walk *w, int pidfd, struct nook_error *e)
{
	if (TRY(become_able(pidfd, e)) && unshare(CLONE_NEWNS) < 0)
		return err_sys(e, STEP_NAMESPACE, "mnt");
	return walk_stage(w, STAGE_PREPARE, e);
}

/* Returns the container's root. */
static int enter(int pidfd, struct nook_error *e)
{
	int root;

	if (setns(pidfd, CLONE_NEWNS) < 0)
		return err_sys(e, STEP_NAMESPACE, "mnt");
	root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	return root < 0 ? err_sys(e, STEP_ROOT, "/") : root;
}

int mounts_add(const struct plan *p, int pidfd, struct nook_error *e)
{
	struct walk w;
	int r;

	walk_init(&w, p);
	r = open_sources(&w, pidfd, e);
	if (r == 0)
		r = w.root = enter(pidfd, e);
	if (r >= 0)
		r = walk_stage(&w, STAGE_BUILD, e);
	close_fd(&w.root);
	walk_done(&w, NULL);
	return r;
}

static int remove_one(int root, const char *target, struct nook_error *e)
{
	const char *slash;
	char parent[PATH_MAX];
	size_t len = strlen(target);

	while (len > 1 && target[len - 1] == '/')
		len--;
	if (len >= sizeof(parent))
		return err_num(e, STEP_MOUNT, target, ENAMETOOLONG);
	memcpy(parent, target, len);
	parent[len] = 0;
	slash = strrchr(parent, '/');
	if (!slash || !slash[1])
		return err_why(e, STEP_MOUNT, target, EINVAL, "the root itself stays");
	const char *name = parent + (slash - parent) + 1;

	parent[slash - parent] = 0;
	auto_close int dir = TRY(inroot_open(root, parent[0] ? parent : "/", O_PATH | O_DIRECTORY, STEP_MOUNT, e));

	/* By its name in a directory that is held: there is no umount(2) of a descriptor. */
	if (fchdir(dir) < 0)
		return err_sys(e, STEP_MOUNT, target);
	if (!strcmp(name, ".") || !strcmp(name, ".."))
		return err_num(e, STEP_MOUNT, target, EINVAL);
	if (umount2(name, MNT_DETACH | UMOUNT_NOFOLLOW) < 0)
		return errno == EINVAL ? err_why(e, STEP_MOUNT, target, EINVAL, "nothing is mounted there") : err_sys(e, STEP_MOUNT, target);
	return 0;
}

int mounts_remove(const char *const *targets, size_t n, int pidfd, struct nook_error *e)
{
	TRY(become_able(pidfd, e));
	auto_close int root = TRY(enter(pidfd, e));

	for (size_t i = n; i-- > 0;)
		TRY(remove_one(root, targets[i], e));
	return 0;
}
