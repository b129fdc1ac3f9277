/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* save and restore: groups in the syntax of cgconfig.conf(5). */
#include "base/fd.h"
#include "base/path.h"
#include "base/text.h"
#include "cgroup/config.h"
#include "cgroup/dir.h"
#include "cli/cgroup_args.h"
#include "sys/userdb.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>

enum { VALUE_LIMIT = 64 * 1024 };

/* ---- save ----------------------------------------------------------------------------------------------------------- */

struct save_options {
	struct opt_list groups;
};

static const struct opt save_options[] = {
	CGROUP_ARG_OPTION(offsetof(struct save_options, groups)),
	{0},
};

/* Files that say or do something once, or are no setting. */
static bool is_setting(const char *file)
{
	static const char *const others[] = {
		"memory.force_empty", "memory.pressure_level", "memory.kmem.limit_in_bytes", "memory.peak", "memory.swap.peak",
		"memory.reclaim", "memory.oom_control", "blkio.reset_stats", "cpuacct.usage", "cpuset.memory_pressure", "cpu.pressure",
		"io.pressure", "memory.pressure", "irq.pressure", "freezer.state", "memory.move_charge_at_immigrate",
		/* cpu.weight once more, less exactly */
		"cpu.weight.nice",
	};

	for (size_t i = 0; i < sizeof(others) / sizeof(*others); i++)
		if (text_is(file, others[i]))
			return false;
	/* Of memory, and of it with swap, kernel memory and its TCP buffers. */
	return !strstr(file, "failcnt") && !strstr(file, "max_usage_in_bytes");
}

/* ifpriomap has a line for each interface; only those that were set say something. */
static const char *without_zero_lines(struct arena *a, const char *text)
{
	AUTO_VALUE(buf_done) struct buf out = {0};

	for (const char *p = text; *p;) {
		size_t len = strcspn(p, "\n");

		if (len < 2 || strncmp(p + len - 2, " 0", 2) != 0)
			buf_addf(&out, "%s%.*s", out.len ? "\n" : "", (int)len, p);
		p += len;
		p += *p == '\n';
	}
	return arena_strdup(a, buf_text(&out));
}

static const char *read_setting(struct arena *a, int dir, const char *file)
{
	AUTO_VALUE(buf_done) struct buf text = {0};

	if (file_read(dir, file, VALUE_LIMIT, &text, NULL) < 0)
		return NULL;
	while (text.len && text.data[text.len - 1] == '\n')
		text.data[--text.len] = 0;
	if (!text.len || strchr(text.data, '"'))
		return NULL;
	if (text_is(file, "net_prio.ifpriomap"))
		return without_zero_lines(a, text.data);
	return arena_strdup(a, text.data);
}

static int by_file(const void *x, const void *y)
{
	return strcmp(((const struct config_value *)x)->file, ((const struct config_value *)y)->file);
}

static void save_devices(struct arena *a, int dir, struct config_controller *c)
{
	const char *list = read_setting(a, dir, "devices.list");

	if (!list || text_is(list, "a *:* rwm"))
		return;
	*arena_push(a, &c->values, &c->n) = (struct config_value){"devices.deny", "a *:* rwm"};
	*arena_push(a, &c->values, &c->n) = (struct config_value){"devices.allow", list};
}

/* What can be written and read of one controller. */
static void save_controller(struct arena *a, int dir, const char *name, struct config_group *g)
{
	int copy = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *stream = copy < 0 ? NULL : fdopendir(copy);
	struct config_controller c = {.name = name};
	size_t len = strlen(name);
	struct dirent *entry;

	if (!stream) {
		close_fd(&copy);
		return;
	}
	while ((entry = readdir(stream))) {
		const char *value;
		struct stat st;

		if (strncmp(entry->d_name, name, len) != 0 || entry->d_name[len] != '.' || !is_setting(entry->d_name) ||
		    fstatat(dir, entry->d_name, &st, 0) < 0 || !(st.st_mode & 0200) || !(st.st_mode & 0400))
			continue;
		value = read_setting(a, dir, entry->d_name);
		if (value && *value)
			*arena_push(a, &c.values, &c.n) = (struct config_value){arena_strdup(a, entry->d_name), value};
	}
	(void)closedir(stream);
	if (c.n)
		qsort(c.values, c.n, sizeof(*c.values), by_file);
	if (text_is(name, "devices"))
		save_devices(a, dir, &c);
	*arena_push(a, &g->controllers, &g->n) = c;
}

static void save_owner(struct arena *a, int dir, const char *file, const char **ret_uid, const char **ret_gid)
{
	struct stat st;

	if (fstatat(dir, file, &st, 0) < 0 || (!st.st_uid && !st.st_gid))
		return;
	*ret_uid = arena_printf(a, "%u", st.st_uid);
	*ret_gid = arena_printf(a, "%u", st.st_gid);
}

struct saving {
	struct arena *arena;
	const struct cgroup_hierarchy *h;
	const char *top;  /* directory that is the hierarchy's top */
	const char *only; /* with what is below, or "" */
	struct config_file *file;
};

static struct config_group *group_named(struct saving *s, const char *name)
{
	for (size_t i = 0; i < s->file->n; i++)
		if (text_is(s->file->groups[i].name, name))
			return &s->file->groups[i];
	struct config_group *g = arena_push(s->arena, &s->file->groups, &s->file->n);

	g->name = arena_strdup(s->arena, name);
	return g;
}

/* v2 names the controllers that a group really has. */
static unsigned controllers_of(struct saving *s, int dir)
{
	AUTO_VALUE(buf_done) struct buf text = {0};

	if (!s->h->v2)
		return s->h->controllers;
	return file_read(dir, "cgroup.controllers", VALUE_LIMIT, &text, NULL) < 0 ? 0 : cgroup_controllers_in(buf_text(&text));
}

static int save_group(int parent, const char *name, int dir, void *context)
{
	struct saving *s = context;
	char path[PATH_MAX];
	struct config_group *g;
	const char *rest;
	unsigned controllers = controllers_of(s, dir);

	(void)parent;
	(void)name;
	TRY(fd_real_path(dir, path, sizeof(path)));
	rest = text_after(path, s->top);
	rest = rest ? rest + strspn(rest, "/") : "";
	/* The top holds the machine's own values. */
	if (!*rest)
		return 0;
	if (*s->only && !path_below(rest, s->only))
		return 0;
	g = group_named(s, rest);
	for (int c = 0; c < CGROUP_CONTROLLERS; c++)
		if (controllers & 1U << c)
			save_controller(s->arena, dir, s->h->v2 && c == CGROUP_BLKIO ? "io" : cgroup_names[c], g);
	save_owner(s->arena, dir, ".", &g->perm.admin_uid, &g->perm.admin_gid);
	save_owner(s->arena, dir, "cgroup.procs", &g->perm.task_uid, &g->perm.task_gid);
	return 0;
}

static int by_group(const void *x, const void *y)
{
	return strcmp(((const struct config_group *)x)->name, ((const struct config_group *)y)->name);
}

static int save_hierarchy(struct cli *c, const struct cgroup_hierarchy *h, const char *only, struct config_file *file,
                          struct nook_error *e)
{
	/* What is mounted nowhere has names without a mount point before them. */
	struct saving s = {.arena = c->arena, .h = h, .top = h->mount ? h->mount : "", .only = only, .file = file};
	const char *top = h->mount ? h->mount : arena_printf(c->arena, "%s:/", h->list);
	auto_close int dir = TRY(cgroup_dir_open(top, e));
	int r = cgroup_walk(dir, save_group, &s);

	return r < 0 ? err_num(e, STEP_CGROUP, top, r) : 0;
}

static int run_save(struct cli *c, void *options, int argc, char **argv, struct nook_error *e)
{
	const struct save_options *o = options;
	AUTO_VALUE(buf_done) struct buf out = {0};
	struct config_file file = {0};
	struct cgroup_args g = {0};
	int r;

	if (argc || o->groups.n)
		TRY(cgroup_args_read(c->arena, &o->groups, argc, argv, &g, e));
	else
		TRY(cgroup_layout_read(c->arena, AT_FDCWD, &g.layout, e));
	for (size_t i = 0; i < g.layout.n; i++) {
		const struct cgroup_hierarchy *h = &g.layout.h[i];
		bool wanted = (h->mount ? h->v2 || h->controllers : !h->v2 && h->controllers) && !g.group.n;

		for (size_t k = 0; k < g.group.n; k++)
			wanted |= h->mount ? text_is(g.group.dirs[k].mount, h->mount) : !h->v2 && text_is(g.group.lists[k], h->list);
		if (wanted)
			TRY(save_hierarchy(c, h, g.group.n ? g.group.path : "", &file, e));
	}
	if (file.n)
		qsort(file.groups, file.n, sizeof(*file.groups), by_group);
	buf_adds(&out, "# made by nook cgroup save; nook cgroup restore and cgconfigparser read it\n");
	config_print(&file, &out);
	r = fd_write(STDOUT_FILENO, buf_text(&out), out.len);
	return r < 0 ? err_num(e, STEP_STDIO, "stdout", r) : 0;
}

const struct command cmd_cgroup_save = {
	.name = "save",
	.usage = "[OPTIONS] [[CONTROLLERS:]PATH]",
	.summary = "print groups with their values in the syntax of cgconfig.conf",
	.options = save_options,
	.options_size = sizeof(struct save_options),
	.max_args = 1,
	.run = run_save,
	.details = "All groups, or one with what is below it.  Groups end when the machine does: nook cgroup restore makes them\n"
	           "again, at boot for example.  Processes are not saved.\n",
	.examples = "nook cgroup save > /etc/cgconfig.conf\n"
	            "nook cgroup save cpu,memory:lab\n",
};

/* ---- restore -------------------------------------------------------------------------------------------------------- */

/* Lines of one value are written one by one, as the kernel takes them. */
static int write_value(int dir, const struct config_value *v)
{
	for (const char *p = v->value;;) {
		size_t len = strcspn(p, "\n");
		auto_close int fd = openat(dir, v->file, O_WRONLY | O_CLOEXEC);

		if (fd < 0 || write(fd, p, len) < 0)
			return -errno;
		if (!p[len])
			return 0;
		p += len + 1;
	}
}

static bool is_same(struct arena *a, int dir, const struct config_value *v)
{
	const char *now = read_setting(a, dir, v->file);

	return now && text_is(now, v->value);
}

/* The order that the kernel wants is not that of the file: what is refused is tried again after the others. */
static int write_values(struct arena *a, int dir, const struct config_controller *c, struct nook_error *e)
{
	bool *done = arena_new_n(a, bool, c->n + 1);
	size_t left = c->n, before = left + 1;
	int r = 0;

	while (left && left < before) {
		before = left;
		r = 0;
		for (size_t i = 0; i < c->n; i++) {
			int one = done[i] ? 0 : write_value(dir, &c->values[i]);

			/* A value that is in force already may be one that cannot be written. */
			if (one < 0 && is_same(a, dir, &c->values[i]))
				one = 0;
			if (one < 0 && r >= 0)
				r = err_fmt(e, STEP_LIMIT, c->values[i].file, -one, "the kernel does not take \"%.80s\": %s", c->values[i].value,
				            strerror(-one));
			left -= !done[i] && one >= 0;
			done[i] |= one >= 0;
		}
	}
	return left ? r : 0;
}

static int owner_id(const char *who, bool is_group, uint32_t *ret, struct nook_error *e)
{
	auto_close int root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	uint32_t groups[256];
	struct userdb_user user;

	if (is_group)
		return userdb_group(root, who, ret, e);
	TRY(userdb_find(root, who, groups, sizeof(groups) / sizeof(*groups), &user, e));
	*ret = user.uid;
	return 0;
}

static int give(int dir, const char *file, const char *uid, const char *gid, struct nook_error *e)
{
	uint32_t to_uid = (uint32_t)-1, to_gid = (uint32_t)-1;

	if (uid)
		TRY(owner_id(uid, false, &to_uid, e));
	if (gid)
		TRY(owner_id(gid, true, &to_gid, e));
	if ((uid || gid) && fchownat(dir, file, to_uid, to_gid, 0) < 0 && errno != ENOENT)
		return err_sys(e, STEP_CGROUP, file);
	return 0;
}

static int give_all(int dir, const struct config_perm *p, struct nook_error *e)
{
	int copy = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC), r = 0;
	DIR *stream = copy < 0 ? NULL : fdopendir(copy);
	struct dirent *entry;

	if (!stream) {
		close_fd(&copy);
		return err_sys(e, STEP_CGROUP, "directory");
	}
	while (r >= 0 && (entry = readdir(stream))) {
		const char *name = entry->d_name;
		bool is_door = text_is(name, "tasks") || text_is(name, "cgroup.procs") || text_is(name, "cgroup.threads");

		if (entry->d_type == DT_REG || text_is(name, "."))
			r = is_door ? give(dir, name, p->task_uid, p->task_gid, e) : give(dir, name, p->admin_uid, p->admin_gid, e);
	}
	(void)closedir(stream);
	return r;
}

static int restore_controller(struct cli *c, const struct cgroup_layout *l, const struct config_group *g,
                              const struct config_controller *controller, struct nook_error *e)
{
	bool is_top = text_is(g->name, ".") || text_is(g->name, "/");
	struct cgroup_named named;

	TRY(cgroup_named(c->arena, l, arena_printf(c->arena, "%s:%s", controller->name, is_top ? "" : g->name), &named, e));
	for (size_t i = 0; i < named.n; i++) {
		const struct cgroup_dir *d = &named.dirs[i];
		auto_close int dir = TRY(cgroup_dir_ensure(d->path, d->mount, d->prepare, e));

		TRY(write_values(c->arena, dir, controller, e));
		if (g->perm.task_uid || g->perm.task_gid || g->perm.admin_uid || g->perm.admin_gid)
			TRY(give_all(dir, &g->perm, e));
	}
	return 0;
}

static int run_restore(struct cli *c, void *options, int argc, char **argv, struct nook_error *e)
{
	const char *name = argc ? argv[0] : "-";
	auto_close int fd = text_is(name, "-") ? fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 3) : open(name, O_RDONLY | O_CLOEXEC);
	AUTO_VALUE(buf_done) struct buf text = {0};
	struct cgroup_layout l;
	struct config_file file;

	if (fd < 0)
		return err_sys(e, STEP_CONFIG, name);
	auto_free char *path = xasprintf("/proc/self/fd/%d", fd);

	TRY(file_read(AT_FDCWD, path, CONFIG_FILE_MAX, &text, e));
	TRY(config_parse(c->arena, text_is(name, "-") ? "stdin" : name, buf_text(&text), &file, e));
	TRY(cgroup_layout_read(c->arena, AT_FDCWD, &l, e));
	for (size_t i = 0; i < file.n; i++)
		for (size_t k = 0; k < file.groups[i].n; k++)
			TRY(restore_controller(c, &l, &file.groups[i], &file.groups[i].controllers[k], e));
	return 0;
}

const struct command cmd_cgroup_restore = {
	.name = "restore",
	.usage = "[FILE]",
	.summary = "make the groups that a cgconfig.conf describes",
	.max_args = 1,
	.run = run_restore,
	.details = "Reads stdin without FILE.  Groups that exist are kept and their values set.  mount sections are passed over:\n"
	           "controllers are taken where they live.\n",
	.examples = "nook cgroup restore /etc/cgconfig.conf\n",
};
