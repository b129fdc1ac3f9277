/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Namespaces, what must be mountable in them, and the ids of user namespaces. */
#include "base/text.h"
#include "cli/doctor.h"
#include "runtime/mapped.h"
#include "sys/mountapi.h"
#include "sys/ns.h"

#include <fcntl.h>
#include <sched.h>

#define GROUP "namespaces"

/* ---- one of each kind ---------------------------------------------------------------------------------------------- */

static int try_namespace(const void *arg)
{
	return doctor_unshare_as_needed(*(const int *)arg);
}

/* A container has all of these; time and cgroup namespaces it can do without. */
static bool is_needed(int flag)
{
	return flag & (CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWUTS | CLONE_NEWIPC);
}

static void check_user(struct doctor *d)
{
	static const int flag = CLONE_NEWUSER;
	int r = doctor_try(try_namespace, &flag);

	/* Root can do without, with --userns host. */
	doctor_add_trial(d, GROUP, "user", r, STEP_CLONE, d->is_root ? FINDING_LIMITED : FINDING_MISSING, "can be made",
	                 "use a kernel with CONFIG_USER_NS");
	d->has_userns = r == 0;
	d->userns_fix = d->items[d->n - 1].fix;
}

static void check_kinds(struct doctor *d)
{
	for (size_t i = 0; i < NS_TYPES; i++) {
		const struct ns_type *type = &ns_types[i];
		enum finding_state otherwise = is_needed(type->flag) ? FINDING_MISSING : FINDING_LIMITED;

		if (type->flag == CLONE_NEWUSER || (!d->is_root && doctor_lacks_userns(d, GROUP, type->name, otherwise)))
			continue;
		doctor_add_trial(d, GROUP, type->name, doctor_try(try_namespace, &type->flag), STEP_CLONE, otherwise, "can be made",
		                 "use a kernel that was built with it");
	}
}

/* ---- mounts in new namespaces -------------------------------------------------------------------------------------- */

static int try_mount(const void *arg)
{
	const char *fstype = arg;
	auto_close int mnt = fs_mount_new(fstype, NULL, 0, 0, STEP_MOUNT, fstype, NULL);

	return mnt < 0 ? mnt : 0;
}

/* All namespaces of a container; the file system is asked for by a child, which is in the new pid namespace. */
static int try_mount_inside(const void *arg)
{
	TRY(doctor_unshare(CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWIPC));
	return doctor_try(try_mount, arg);
}

static int try_mount_as_root(const void *arg)
{
	TRY(doctor_unshare(CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWIPC));
	return doctor_try(try_mount, arg);
}

static void check_mounts(struct doctor *d)
{
	static const char *const fix = "the container around this one, or the kernel's configuration, forbids it";
	static const struct {
		const char *fstype, *name;
		bool needed;
	} rows[] = {
		{"proc", "new proc", true}, {"sysfs", "new sysfs", false}, {"tmpfs", "new tmpfs", true},
		{"devpts", "new devpts", true}, {"mqueue", "new mqueue", false},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		enum finding_state otherwise = rows[i].needed ? FINDING_MISSING : FINDING_LIMITED;
		int as_root = d->is_root ? doctor_try(try_mount_as_root, rows[i].fstype) : 0;

		if (as_root < 0) {
			doctor_add_trial(d, GROUP, rows[i].name, as_root, STEP_MOUNT, otherwise, NULL, fix);
			continue;
		}
		/* Root has --userns host left. */
		otherwise = d->is_root ? FINDING_LIMITED : otherwise;
		if (!doctor_lacks_userns(d, GROUP, rows[i].name, otherwise))
			doctor_add_trial(d, GROUP, rows[i].name, doctor_try(try_mount_inside, rows[i].fstype), STEP_MOUNT, otherwise,
			                 "can be mounted in a user namespace", fix);
	}
}

void doctor_namespaces(struct doctor *d)
{
	check_user(d);
	check_kinds(d);
	check_mounts(d);
}

/* ---- ids ----------------------------------------------------------------------------------------------------------- */

/* A program that nook needs setuid, or with file capabilities, to write more than one line of a map. */
static bool is_helper_there(const char *name)
{
	static const char *const places[] = {"/usr/bin", "/bin", "/usr/local/bin", "/usr/sbin", "/sbin"};

	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
		auto_free char *path = xasprintf("%s/%s", places[i], name);

		if (access(path, X_OK) == 0)
			return true;
	}
	return false;
}

static int do_nothing(const void *data)
{
	(void)data;
	return 0;
}

static void check_user_ids(struct doctor *d)
{
	static const char *const name = "ids of a container";
	static const char *const fix = "usermod --add-subuids 100000-165535 --add-subgids 100000-165535 USER";
	struct idrange range = {0};
	auto_close int etc = open("/etc", O_PATH | O_DIRECTORY | O_CLOEXEC);
	struct nook_error e = NOOK_ERROR_INIT;

	if (etc < 0 || idrange_subids(etc, geteuid(), getegid(), d->arena, &range, NULL) < 0 ||
	    range.kind != IDRANGE_SUBID) {
		doctor_add(d, "ids", name, FINDING_LIMITED, "one: /etc/subuid and /etc/subgid set none aside for this user", fix);
		return;
	}
	if (!is_helper_there("newuidmap") || !is_helper_there("newgidmap")) {
		doctor_add(d, "ids", name, FINDING_LIMITED, "one: newuidmap(1) and newgidmap(1) are not there",
		           "install the package uidmap");
		return;
	}
	if (mapped_run(&range, do_nothing, NULL, &e) == 0)
		doctor_add(d, "ids", name, FINDING_OK, "those of /etc/subuid and /etc/subgid, by newuidmap(1)", NULL);
	else
		doctor_add(d, "ids", name, FINDING_LIMITED, arena_strdup(d->arena, e.detail[0] ? e.detail : strerror(e.sys_errno)),
		           "newuidmap and newgidmap must be setuid root or have cap_setuid and cap_setgid, and no-new-privileges must be off");
}

/* Root needs a range of ids that nobody uses; a root that is one only in a user namespace may have none. */
static void check_root_ids(struct doctor *d)
{
	enum { ENOUGH = 2 * IDRANGE_SIZE };
	struct spec_idmap *maps = NULL;
	uint64_t total = 0;
	size_t n = 0;

	if (idrange_read_map(AT_FDCWD, "/proc/self/uid_map", d->arena, &maps, &n, NULL) < 0)
		n = 0;
	for (size_t i = 0; i < n; i++)
		total += maps[i].count;
	if (total >= ENOUGH)
		doctor_add(d, "ids", "ids of a container", FINDING_OK, "65536 of its own for each", NULL);
	else
		doctor_add(d, "ids", "ids of a container", FINDING_LIMITED,
		           arena_printf(d->arena, "this user namespace has only %llu: containers share them", (unsigned long long)total),
		           "start the container around this one with more ids");
}

void doctor_ids(struct doctor *d)
{
	if (d->is_root)
		check_root_ids(d);
	else
		check_user_ids(d);
}
