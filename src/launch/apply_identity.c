/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Who the command is and what it may: ids, groups, capabilities, and the filter that comes last. */
#include "launch/walk.h"

#include "sys/userdb.h"

#include <fcntl.h>
#include <linux/audit.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

enum { GROUPS_MAX = sizeof(((struct walk *)0)->groups) / sizeof(uint32_t) };

int apply_become_root(struct walk *w, const struct step *s, struct nook_error *e)
{
	/* EPERM: setgroups(2) is denied in this user namespace; the caller's groups have no names here and stay. */
	if (syscall(SYS_setgroups, 0, NULL) < 0 && errno != EPERM)
		return err_sys(e, STEP_USER, "groups");
	if (syscall(SYS_setresgid, 0, 0, 0) < 0 || syscall(SYS_setresuid, 0, 0, 0) < 0)
		return err_sys(e, STEP_USER, "root of the user namespace");
	w->is_root = true;
	return 0;
}

static int group_add(struct walk *w, uint32_t gid, struct nook_error *e)
{
	for (size_t i = 0; i < w->n_groups; i++)
		if (w->groups[i] == gid)
			return 0;
	if (w->n_groups >= GROUPS_MAX)
		return err_num(e, STEP_GROUPS, NULL, E2BIG);
	w->groups[w->n_groups++] = gid;
	return 0;
}

int apply_user(struct walk *w, const struct step *s, struct nook_error *e)
{
	const uint32_t *groups = plan_at(w->plan, s->user.groups.at);
	const char *name = plan_at(w->plan, s->user.group_names.at);
	struct userdb_user user = {.uid = s->user.uid, .gid = s->user.gid};
	/* Who joined a container has its root as "/". */
	int root = w->root >= 0 ? w->root : w->in_root && w->here < 0 ? AT_FDCWD : open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);

	if (root == -1)
		return err_sys(e, STEP_USER, "/");
	if (s->user.name.at) {
		TRY(userdb_find(root, walk_str(w, s->user.name), w->groups, GROUPS_MAX, &user, e));
		w->n_groups = user.n_groups;
	} else if (s->user.set_home) {
		TRY(userdb_by_uid(root, user.uid, &user, e));
	}
	w->uid = user.uid;
	w->gid = s->user.name.at ? user.gid : s->user.gid;
	for (uint32_t i = 0; i < s->user.groups.n; i++)
		TRY(group_add(w, groups[i], e));
	for (uint32_t i = 0; i < s->user.group_names.n; i++, name = plan_next(name)) {
		uint32_t gid = 0;

		TRY(userdb_group(root, name, &gid, e));
		TRY(group_add(w, gid, e));
	}
	if (s->user.set_home) {
		memcpy(w->home, "HOME=", 5);
		memcpy(w->home + 5, user.home[0] ? user.home : "/", user.home[0] ? strlen(user.home) + 1 : 2);
	}
	return 0;
}

static bool enters_userns(const struct plan *p)
{
	if (p->clone_flags & CLONE_NEWUSER)
		return true;
	for (uint32_t i = 0; i < p->n_steps; i++)
		if ((p->steps[i].kind == DO_JOIN_NS || p->steps[i].kind == DO_UNSHARE) && p->steps[i].ns.flags & CLONE_NEWUSER)
			return true;
	return false;
}

/* Are all three of both kinds what they shall be?  execve(2) made the saved ones of a program like the effective ones, and a
 * program of nook's never changes its own. */
static bool has_ids(const struct walk *w)
{
	if (!w->is_alone || enters_userns(w->plan))
		return false;
	return getauxval(AT_UID) == w->uid && getauxval(AT_EUID) == w->uid && getauxval(AT_GID) == w->gid && getauxval(AT_EGID) == w->gid;
}

int apply_set_ids(struct walk *w, const struct step *s, struct nook_error *e)
{
	const char *object = walk_str(w, s->object);

	if (walk_is_root(w))
		return 0;
	/* Capabilities in the permitted set must outlive the change of uid; DO_CAPS then says which stay. */
	if (w->uid && prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) < 0)
		return err_sys(e, STEP_CAPS, "keep");
	if (!s->user.keep_groups && syscall(SYS_setgroups, w->n_groups, w->groups) < 0) {
		int r = errno;

		if (!(r == EPERM && s->user.deny_groups && !w->n_groups)) {
			(void)err_num(e, STEP_GROUPS, object, r);
			if (r == EPERM && s->user.deny_groups)
				err_detail(e, "the user namespace has a single group");
			if (r == EINVAL)
				err_detail(e, "a group has no mapping in the user namespace");
			return -r;
		}
	}
	if (has_ids(w))
		return 0;
	if (syscall(SYS_setresgid, w->gid, w->gid, w->gid) < 0 || syscall(SYS_setresuid, w->uid, w->uid, w->uid) < 0) {
		int r = err_sys(e, STEP_USER, object);

		if (r == -EINVAL)
			err_detail(e, "the id has no mapping in the user namespace");
		return r;
	}
	return 0;
}

/* ---- capabilities -------------------------------------------------------------------------------------------------- */

enum { BOUNDING, EFFECTIVE, PERMITTED, INHERITABLE, AMBIENT };

static int bounding_drop(uint64_t keep, struct nook_error *e)
{
	for (unsigned cap = 0; cap < 64; cap++) {
		if (keep & (UINT64_C(1) << cap))
			continue;
		if (prctl(PR_CAPBSET_DROP, cap, 0, 0, 0) < 0) {
			if (errno == EINVAL)
				return 0; /* beyond the last one this kernel knows */
			return err_sys(e, STEP_CAPS, "bounding set");
		}
	}
	return 0;
}

int apply_caps(struct walk *w, const struct step *s, struct nook_error *e)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[2];
	uint64_t effective = s->caps.sets[EFFECTIVE], permitted = s->caps.sets[PERMITTED];

	if (s->flags & CAPS_BOUNDING_ONLY)
		return bounding_drop(s->caps.sets[BOUNDING], e);
	for (int i = 0; i < 2; i++)
		data[i] = (struct __user_cap_data_struct){
			.effective = (uint32_t)(effective >> (32 * i)),
			.permitted = (uint32_t)(permitted >> (32 * i)),
			.inheritable = (uint32_t)(s->caps.sets[INHERITABLE] >> (32 * i)),
		};
	if (syscall(SYS_capset, &header, data) < 0) {
		int r = err_sys(e, STEP_CAPS, NULL);

		if (r == -EPERM)
			err_detail(e, "a capability was asked for that the caller does not have");
		return r;
	}
	for (unsigned cap = 0; s->caps.sets[AMBIENT] >> cap; cap++)
		if (s->caps.sets[AMBIENT] & (UINT64_C(1) << cap) &&
			prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, cap, 0, 0) < 0)
			return err_sys(e, STEP_CAPS, "ambient set");
	return 0;
}

/* ---- privileges and filter ----------------------------------------------------------------------------------------- */

int apply_no_new_privs(struct walk *w, const struct step *s, struct nook_error *e)
{
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return err_sys(e, STEP_SECCOMP, "no_new_privs");
	return 0;
}

int apply_seccomp(struct walk *w, const struct step *s, struct nook_error *e)
{
	struct sock_fprog program = {
		.len = (unsigned short)s->seccomp.filter.n,
		.filter = (struct sock_filter *)(uintptr_t)plan_at(w->plan, s->seccomp.filter.at),
	};
	long r = syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, s->seccomp.flags, &program);

	if (r < 0)
		return err_sys(e, STEP_SECCOMP, "filter");
	if (s->flags & SECCOMP_OBSERVED) {
		int sent = wire_send_fd(w->wire, WIRE_OBSERVE, (int)r);

		(void)close((int)r);
		return sent < 0 ? err_num(e, STEP_SECCOMP, "listener", sent) : 0;
	}
	if (s->seccomp.flags & SECCOMP_FILTER_FLAG_NEW_LISTENER) {
		int sent = wire_write(w->wire, WIRE_NOTIFY, (int)r);

		if (sent == 0)
			sent = wire_wait_go(w->wire);
		(void)close((int)r);
		if (sent < 0)
			return err_num(e, STEP_SECCOMP, "listener", sent);
	}
	return 0;
}
