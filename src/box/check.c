/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "box/check.h"

#include "base/fd.h"
#include "base/spawn.h"
#include "base/text.h"
#include "box/box.h"
#include "security/landlock.h"

#include <limits.h>
#include <linux/seccomp.h>
#include <string.h>
#include <sys/syscall.h>

enum { FILE_MAX_BYTES = 1 << 20 };

struct list {
	struct arena *arena;
	struct check *items;
	size_t n;
};

static void add(struct list *l, const char *what, enum check_state state, const char *detail, const char *fix)
{
	*arena_push(l->arena, &l->items, &l->n) = (struct check){what, state, detail, fix};
}

/* The content of a file, "" when there is none. */
static const char *read_text(struct list *l, int proc, const char *name)
{
	AUTO_VALUE(buf_done) struct buf text = {0};

	if (file_read(proc, name, FILE_MAX_BYTES, &text, NULL) < 0)
		return "";
	return arena_strdup(l->arena, buf_text(&text));
}

static bool is_number(struct list *l, int proc, const char *name, const char *number)
{
	const char *text = read_text(l, proc, name);
	size_t len = strlen(number);

	return strncmp(text, number, len) == 0 && (!text[len] || text[len] == '\n');
}

/* ---- user namespaces ------------------------------------------------------------------------------------------------- */

static const char userns[] = "user namespaces";

static bool is_filtered(struct list *l, int proc)
{
	return strstr(read_text(l, proc, "self/status"), "\nSeccomp:\t2") != NULL;
}

static bool is_switched_off(struct list *l, int proc, bool privileged)
{
	if (faccessat(proc, "self/ns/user", F_OK, 0) < 0)
		add(l, userns, CHECK_MISSING, "this kernel has none", "use a kernel with CONFIG_USER_NS");
	else if (is_number(l, proc, "sys/user/max_user_namespaces", "0"))
		add(l, userns, CHECK_MISSING, "they are switched off by sysctl user.max_user_namespaces", "sysctl -w user.max_user_namespaces=15000");
	else if (!privileged && is_number(l, proc, "sys/kernel/unprivileged_userns_clone", "0"))
		add(l, userns, CHECK_MISSING, "they are for root only by sysctl kernel.unprivileged_userns_clone",
			"sysctl -w kernel.unprivileged_userns_clone=1");
	else if (!privileged && is_number(l, proc, "sys/kernel/apparmor_restrict_unprivileged_userns", "1") &&
		!strstr(read_text(l, proc, "self/attr/current"), "nook"))
		add(l, userns, CHECK_MISSING, "AppArmor gives them only to programs that have a profile",
			"cp " NOOK_APPARMOR " /etc/apparmor.d/nook && apparmor_parser -r /etc/apparmor.d/nook");
	else if (!*read_text(l, proc, "self/uid_map"))
		add(l, userns, CHECK_MISSING, "the one around has no ids yet, so no other can be made in it", "write an id map for it");
	else
		return false;
	return true;
}

static void look_at_userns(struct list *l, int proc, bool privileged)
{
	if (is_switched_off(l, proc, privileged))
		return;
	if (is_filtered(l, proc))
		add(l, userns, CHECK_LIMITED, "a filter of system calls is around this process, which may refuse them",
			"start the container around with --security-opt nesting (docker, podman: --security-opt seccomp=unconfined)");
	else
		add(l, userns, CHECK_OK, "can be made", NULL);
}

/* ---- proc ------------------------------------------------------------------------------------------------------------ */

/* Mounts over parts of /proc, as container engines make them: then the kernel lets nobody mount a new one in a user namespace. */
static void look_at_proc(struct list *l, int proc)
{
	const char *text = read_text(l, proc, "self/mountinfo");

	if (strstr(text, " /proc/"))
		add(l, "a new /proc", CHECK_MISSING, "parts of the /proc around are covered, so that no new one can be mounted",
			"start the container around with --security-opt nesting (docker, podman: --security-opt systempaths=unconfined), or use --proc none");
	else
		add(l, "a new /proc", CHECK_OK, "can be mounted", NULL);
}

void check_proc(int proc, bool privileged, struct arena *a, struct check **ret, size_t *ret_n)
{
	struct list l = {.arena = a};

	look_at_userns(&l, proc, privileged);
	look_at_proc(&l, proc);
	*ret = l.items;
	*ret_n = l.n;
}

/* ---- the rest -------------------------------------------------------------------------------------------------------- */

static void look_at_filters(struct list *l)
{
	uint32_t action = SECCOMP_RET_ERRNO;
	unsigned abi = (unsigned)landlock_probe(NULL).abi;

	if (syscall(SYS_seccomp, SECCOMP_GET_ACTION_AVAIL, 0, &action) == 0)
		add(l, "system call filter", CHECK_OK, "can be loaded", NULL);
	else
		add(l, "system call filter", CHECK_MISSING, "this kernel has no seccomp", "use a kernel with CONFIG_SECCOMP_FILTER, or --syscalls none");
	if (abi)
		add(l, "Landlock", CHECK_OK, arena_printf(l->arena, "version %u", abi), NULL);
	else
		add(l, "Landlock", CHECK_LIMITED, "the second fence around files is missing", "boot with lsm=landlock,... (see /sys/kernel/security/lsm)");
}

static void look_at_groups(struct list *l)
{
	struct nook_host host = NOOK_HOST_INIT;

	if (box_host_probe(&host, NULL) == 0 && host.cgroup)
		add(l, "limits of memory and cpu", CHECK_OK, "control groups can be made", NULL);
	else
		add(l, "limits of memory and cpu", CHECK_LIMITED, "no control group is delegated to this user",
			"systemd-run --user --scope -p Delegate=yes nook box ..., or --best-effort mem,cpu");
}

static void look_at_program(struct list *l, const char *what, const char *const *names, const char *fix)
{
	char path[PATH_MAX];

	for (; *names; names++) {
		if (spawn_find(*names, path, sizeof(path)) < 0)
			continue;
		add(l, what, CHECK_OK, arena_printf(l->arena, "by %s", *names), NULL);
		return;
	}
	add(l, what, CHECK_LIMITED, "the program for it is not installed", fix);
}

void check_machine(struct arena *a, struct check **ret, size_t *ret_n)
{
	static const char *const networks[] = {"pasta", "slirp4netns", NULL}, *const buses[] = {"xdg-dbus-proxy", NULL};
	struct list l = {.arena = a};

	look_at_filters(&l);
	look_at_groups(&l);
	look_at_program(&l, "--net user", networks, "install the package passt (or slirp4netns)");
	look_at_program(&l, "--dbus", buses, "install the package xdg-dbus-proxy");
	*ret = l.items;
	*ret_n = l.n;
}
