/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* create and rm. */
#include "base/fd.h"
#include "base/text.h"
#include "cli/cgroup_args.h"
#include "sys/userdb.h"

#include <dirent.h>
#include <fcntl.h>

/* ---- create --------------------------------------------------------------------------------------------------------- */

struct create_options {
	struct opt_list groups;
	const char *admin, *tasks;
};

static const struct opt create_options[] = {
	CGROUP_ARG_OPTION(offsetof(struct create_options, groups)),
	{'a', "admin", "USER[:GROUP]", OPT_STRING, offsetof(struct create_options, admin), "who may set limits and make groups below"},
	{'t', "tasks", "USER[:GROUP]", OPT_STRING, offsetof(struct create_options, tasks), "who may move processes in"},
	{0},
};

static bool is_door(const char *name)
{
	return text_is(name, "tasks") || text_is(name, "cgroup.procs") || text_is(name, "cgroup.threads");
}

struct owner {
	uint32_t uid, gid;
};

static int find_owner(const char *who, struct owner *ret, struct nook_error *e)
{
	auto_close int root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	uint32_t groups[256];
	struct userdb_user user;

	if (root < 0)
		return err_sys(e, STEP_USER, "/");
	TRY(userdb_find(root, who, groups, sizeof(groups) / sizeof(*groups), &user, e));
	*ret = (struct owner){user.uid, user.gid};
	return 0;
}

/* Gives away the files for which IS_THEIRS says so. */
static int give_files(int dir, const struct owner *owner, bool (*is_theirs)(const char *name), struct nook_error *e)
{
	int copy = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC), r = 0;
	DIR *stream = copy < 0 ? NULL : fdopendir(copy);
	struct dirent *entry;

	if (!stream) {
		r = err_sys(e, STEP_CGROUP, "directory");
		close_fd(&copy);
		return r;
	}
	while (r >= 0 && (entry = readdir(stream)))
		if (entry->d_type == DT_REG && is_theirs(entry->d_name) && fchownat(dir, entry->d_name, owner->uid, owner->gid, 0) < 0)
			r = err_sys(e, STEP_CGROUP, entry->d_name);
	(void)closedir(stream);
	return r;
}

static bool is_no_door(const char *name)
{
	return !is_door(name);
}

static int give(int dir, const struct create_options *o, struct nook_error *e)
{
	struct owner owner;

	if (o->admin) {
		TRY(find_owner(o->admin, &owner, e));
		if (fchownat(dir, ".", owner.uid, owner.gid, 0) < 0)
			return err_sys(e, STEP_CGROUP, "owner");
		TRY(give_files(dir, &owner, is_no_door, e));
	}
	if (o->tasks) {
		TRY(find_owner(o->tasks, &owner, e));
		TRY(give_files(dir, &owner, is_door, e));
	}
	return 0;
}

/* What was made is taken back when a later hierarchy refuses. */
static int create(struct cli *c, const struct create_options *o, const struct cgroup_named *g, struct nook_error *e)
{
	struct cgroup made = {0};
	int r = 0;

	for (size_t i = 0; r >= 0 && i < g->n; i++) {
		const struct cgroup_dir *d = &g->dirs[i];
		auto_close int old = cgroup_dir_open(d->path, NULL), dir = -EBADF;

		/* Again is fine, as with mkdir -p; on v2 it may pass on further controllers. */
		dir = cgroup_dir_ensure(d->path, d->mount, d->prepare, e);
		if (dir >= 0 && old < 0)
			*arena_push(c->arena, &made.dirs, &made.n) = d->path;
		r = dir < 0 ? dir : give(dir, o, e);
	}
	if (r < 0)
		(void)cgroup_remove(&made, NULL);
	return r;
}

static int run_create(struct cli *c, void *options, int argc, char **argv, struct nook_error *e)
{
	const struct create_options *o = options;
	struct cgroup_layout layout;

	TRY(cgroup_layout_read(c->arena, AT_FDCWD, &layout, e));
	if (!argc && !o->groups.n)
		return err_why(e, STEP_OPTION, "GROUP", EINVAL, "name a group, such as cpu,memory:lab");
	for (size_t i = 0; i < o->groups.n + (size_t)argc; i++) {
		const char *name = i < o->groups.n ? o->groups.items[i] : argv[i - o->groups.n];
		struct cgroup_named g;

		if (!strchr(name, ':'))
			return err_fmt(e, STEP_CGROUP, name, EINVAL, "say for which controllers: cpu,memory:%s, or *:%s", name, name);
		TRY(cgroup_named(c->arena, &layout, name, &g, e));
		if (!*g.path)
			return err_why(e, STEP_CGROUP, name, EEXIST, "that is the top of the hierarchy");
		TRY(create(c, o, &g, e));
	}
	return 0;
}

const struct command cmd_cgroup_create = {
	.name = "create",
	.usage = "[OPTIONS] CONTROLLERS:PATH...",
	.summary = "make groups, with those above them",
	.options = create_options,
	.options_size = sizeof(struct create_options),
	.max_args = -1,
	.run = run_create,
	.details = "As cgcreate(1).  On v2 the controllers are passed on from the top down to the group.\n",
	.examples = "nook cgroup create cpu,memory:lab\n"
	            "nook cgroup create -a alice -t alice *:alice\n",
};

/* ---- rm ------------------------------------------------------------------------------------------------------------- */

struct rm_options {
	struct opt_list groups;
	bool recursive, move;
};

static const struct opt rm_options[] = {
	CGROUP_ARG_OPTION(offsetof(struct rm_options, groups)),
	{'m', "move", NULL, OPT_FLAG, offsetof(struct rm_options, move), "first move the processes into the group above"},
	{'r', "recursive", NULL, OPT_FLAG, offsetof(struct rm_options, recursive), "also the groups below"},
	{0},
};

static bool has_groups_below(int dir)
{
	int copy = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *stream = copy < 0 ? NULL : fdopendir(copy);
	struct dirent *entry;
	bool found = false;

	if (!stream) {
		close_fd(&copy);
		return false;
	}
	while (!found && (entry = readdir(stream)))
		found = entry->d_type == DT_DIR && !text_is(entry->d_name, ".") && !text_is(entry->d_name, "..");
	(void)closedir(stream);
	return found;
}

static int move_up(int dir, const pid_t *pids, int n, const char *path, struct nook_error *e)
{
	for (int i = 0; i < n; i++) {
		auto_free char *text = xasprintf("%d", (int)pids[i]);
		int r = file_write(dir, "../cgroup.procs", text, STEP_CGROUP, NULL);

		if (r < 0 && r != -ESRCH)
			return err_fmt(e, STEP_CGROUP, path, -r, "process %d does not move: %s", (int)pids[i], strerror(-r));
	}
	return 0;
}

static int remove_group(struct cli *c, const struct rm_options *o, const struct cgroup_args *g, struct nook_error *e)
{
	struct cgroup groups = {0};

	for (size_t i = 0; i < g->group.n; i++) {
		const char *path = g->group.dirs[i].path;
		auto_close int dir = TRY(cgroup_args_open(g, i, e));
		const struct cgroup one = {.dirs = &path, .n = 1};
		pid_t *pids = NULL;
		int n;

		if (!o->recursive && has_groups_below(dir))
			return err_why(e, STEP_CGROUP, path, ENOTEMPTY, "it has groups below it; -r removes them, too");
		n = TRY(cgroup_pids(c->arena, &one, &pids, e));
		if (n && !o->move)
			return err_fmt(e, STEP_CGROUP, path, EBUSY, "process %d is in it%s; -m moves processes up", (int)pids[0],
			               n > 1 ? " and others" : "");
		TRY(move_up(dir, pids, n, path, e));
		*arena_push(c->arena, &groups.dirs, &groups.n) = path;
	}
	return cgroup_remove(&groups, e);
}

static int run_rm(struct cli *c, void *options, int argc, char **argv, struct nook_error *e)
{
	const struct rm_options *o = options;
	struct cgroup_args g;

	do {
		TRY(cgroup_args_read(c->arena, &o->groups, argc, argv, &g, e));
		if (!*g.group.path)
			return err_why(e, STEP_CGROUP, "/", EBUSY, "the top of a hierarchy cannot be removed");
		TRY(remove_group(c, o, &g, e));
		argc = g.argc;
		argv = g.argv;
	} while (argc && !o->groups.n);
	return 0;
}

const struct command cmd_cgroup_rm = {
	.name = "rm",
	.usage = "[OPTIONS] [CONTROLLERS:]PATH...",
	.summary = "remove groups",
	.options = rm_options,
	.options_size = sizeof(struct rm_options),
	.max_args = -1,
	.run = run_rm,
	.details = "Nothing is killed: a group with processes in it stays, unless -m moves them up.\n",
	.examples = "nook cgroup rm lab\n"
	            "nook cgroup rm -r cpu:lab\n",
};
