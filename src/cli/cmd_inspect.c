/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * All that is known of containers, as a JSON array: what the state says, and what the kernel says now of what runs.
 * --format picks from the same document, so that there is one set of names.
 */
#include "base/fd.h"
#include "base/text.h"
#include "cgroup/cgroup.h"
#include "cli/inspect_format.h"
#include "cli/inspect_image.h"
#include "cli/inspect_volume.h"
#include "command/ago.h"
#include "command/command.h"
#include "json/load.h"
#include "json/out.h"
#include "runtime/container.h"
#include "runtime/idrange.h"
#include "runtime/mounts.h"
#include "runtime/plan_file.h"
#include "security/caps.h"

#include <stdio.h>

struct options {
	const char *format, *type;
};

#define AT_OPTION(member) offsetof(struct options, member)

static const struct opt options_table[] = {
	{'f', "format", "TEXT", OPT_STRING, AT_OPTION(format),
	 INSPECT_FORMAT_HELP("container", "{{.name}}, {{.namespaces.net.inode}} or {{.mounts[0].target}}")},
	{0, "type", "container|image|volume", OPT_STRING, AT_OPTION(type), "what it is the name of: otherwise the first of these that has it"},
	{0},
};

enum { CONTAINER = 1, IMAGE = 2, VOLUME = 4 };
static const struct {
	const char *name;
	unsigned types;
} type_words[] = {{"container", CONTAINER}, {"image", IMAGE}, {"volume", VOLUME}};

enum { STATUS_MAX = 64 * 1024, LIMIT_MAX = 4096, PATH_ROOM = 64 };

/* ---- what the kernel says ---------------------------------------------------------------------------------------- */

static void add_namespaces(struct json_out *o, int proc, pid_t pid)
{
	json_out_object(o, "namespaces");
	for (int kind = 0; kind < NS_COUNT; kind++) {
		char path[PATH_ROOM], is[PATH_ROOM] = "", ours[PATH_ROOM] = "";
		const char *inode;

		(void)snprintf(path, sizeof(path), "%d/ns/%s", (int)pid, ns_names[kind]);
		if (readlinkat(proc, path, is, sizeof(is) - 1) < 0)
			continue;
		(void)snprintf(path, sizeof(path), "self/ns/%s", ns_names[kind]);
		if (readlinkat(proc, path, ours, sizeof(ours) - 1) < 0)
			ours[0] = 0;
		inode = strchr(is, '[');
		json_out_object(o, ns_names[kind]);
		json_out_u64(o, "inode", inode ? strtoull(inode + 1, NULL, 10) : 0);
		json_out_bool(o, "private", !text_is(is, ours));
		json_out_object_end(o);
	}
	json_out_object_end(o);
}

static void add_map(struct json_out *o, const char *key, int proc, pid_t pid, const char *file, struct arena *a)
{
	struct spec_idmap *maps = NULL;
	char path[PATH_ROOM];
	size_t n = 0;

	(void)snprintf(path, sizeof(path), "%d/%s", (int)pid, file);
	(void)idrange_read_map(proc, path, a, &maps, &n, NULL);
	json_out_array(o, key);
	for (size_t i = 0; i < n; i++) {
		json_out_object(o, NULL);
		json_out_u64(o, "inside", maps[i].inside);
		json_out_u64(o, "outside", maps[i].outside);
		json_out_u64(o, "count", maps[i].count);
		json_out_object_end(o);
	}
	json_out_array_end(o);
}

static void add_mounts(struct json_out *o, int proc, pid_t pid, struct arena *a)
{
	struct mount_entry *list = NULL;
	char path[PATH_ROOM];
	size_t n = 0;

	(void)snprintf(path, sizeof(path), "%d/mountinfo", (int)pid);
	(void)mounts_read(proc, path, a, &list, &n, NULL);
	json_out_array(o, "mounts");
	for (size_t i = 0; i < n; i++) {
		json_out_object(o, NULL);
		json_out_string(o, "target", list[i].target);
		json_out_string(o, "type", list[i].fstype);
		json_out_string(o, "source", list[i].source);
		json_out_string(o, "root", list[i].root);
		json_out_string(o, "options", list[i].options);
		json_out_string(o, "superOptions", list[i].super_options);
		json_out_string(o, "propagation", list[i].propagation);
		json_out_object_end(o);
	}
	json_out_array_end(o);
}

/* Lines of /proc/PID/status: a mask of capabilities in hexadecimal, or a number. */
enum status_type { STATUS_CAPS, STATUS_NUMBER };
static const struct {
	const char *line, *key;
	enum status_type type;
} security[] = {
	{"\nNoNewPrivs:\t", "noNewPrivileges", STATUS_NUMBER}, {"\nSeccomp:\t", "seccompMode", STATUS_NUMBER},
	{"\nSeccomp_filters:\t", "seccompFilters", STATUS_NUMBER}, {"\nCapBnd:\t", "bounding", STATUS_CAPS},
	{"\nCapEff:\t", "effective", STATUS_CAPS}, {"\nCapPrm:\t", "permitted", STATUS_CAPS},
	{"\nCapInh:\t", "inheritable", STATUS_CAPS}, {"\nCapAmb:\t", "ambient", STATUS_CAPS},
};

static void add_caps(struct json_out *o, const char *key, uint64_t mask)
{
	json_out_array(o, key);
	for (unsigned cap = 0; cap < 64; cap++)
		if (mask & CAPS_BIT(cap) && caps_name(cap))
			json_out_string(o, NULL, caps_name(cap));
	json_out_array_end(o);
}

static void add_security(struct json_out *o, int proc, pid_t pid)
{
	AUTO_VALUE(buf_done) struct buf text = {0};
	char path[PATH_ROOM];

	(void)snprintf(path, sizeof(path), "%d/status", (int)pid);
	(void)file_read(proc, path, STATUS_MAX, &text, NULL);
	json_out_object(o, "security");
	for (size_t i = 0; i < sizeof(security) / sizeof(security[0]); i++) {
		const char *at = strstr(buf_text(&text), security[i].line);

		if (!at)
			continue;
		at += strlen(security[i].line);
		if (security[i].type == STATUS_CAPS)
			add_caps(o, security[i].key, strtoull(at, NULL, 16));
		else
			json_out_u64(o, security[i].key, strtoull(at, NULL, 10));
	}
	json_out_object_end(o);
}

/* As the kernel spells them, in whichever of the groups has the file. */
static const char *const limit_files[] = {
	"cpu.max", "cpu.max.burst", "cpu.weight", "cpu.idle", "cpu.cfs_quota_us", "cpu.cfs_period_us", "cpu.cfs_burst_us", "cpu.shares",
	"cpu.rt_runtime_us", "cpuset.cpus", "cpuset.mems", "memory.max", "memory.high", "memory.low", "memory.swap.max",
	"memory.limit_in_bytes", "memory.soft_limit_in_bytes", "memory.memsw.limit_in_bytes", "memory.swappiness", "pids.max",
	"io.max", "io.weight", "blkio.weight", "blkio.bfq.weight", "blkio.throttle.read_bps_device",
	"blkio.throttle.write_bps_device", "blkio.throttle.read_iops_device", "blkio.throttle.write_iops_device", "devices.list",
	"hugetlb.2MB.max", "hugetlb.2MB.limit_in_bytes", "hugetlb.1GB.max", "hugetlb.1GB.limit_in_bytes", "net_cls.classid",
	"net_prio.ifpriomap", "rdma.max", "misc.max",
};

static void add_limit(struct json_out *o, int dir, const char *file)
{
	AUTO_VALUE(buf_done) struct buf text = {0};

	if (file_read(dir, file, LIMIT_MAX, &text, NULL) < 0)
		return;
	while (text.len && text.data[text.len - 1] == '\n')
		text.data[--text.len] = 0;
	json_out_string(o, file, buf_text(&text));
}

static void add_limits(struct json_out *o, const struct container *c)
{
	json_out_object(o, "limits");
	for (size_t i = 0; i < c->n_cgroups; i++) {
		auto_close int dir = cgroup_dir_open(c->cgroups[i], NULL);

		for (size_t k = 0; dir >= 0 && k < sizeof(limit_files) / sizeof(limit_files[0]); k++)
			add_limit(o, dir, limit_files[k]);
	}
	json_out_object_end(o);
}

static void add_running(struct json_out *o, const struct container *c, struct arena *a)
{
	auto_close int proc = open("/proc", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	add_namespaces(o, proc, c->pid);
	json_out_object(o, "ids");
	json_out_u64(o, "rangeBase", c->range_base);
	add_map(o, "uidMap", proc, c->pid, "uid_map", a);
	add_map(o, "gidMap", proc, c->pid, "gid_map", a);
	json_out_object_end(o);
	add_limits(o, c);
	add_security(o, proc, c->pid);
	add_mounts(o, proc, c->pid, a);
}

/* ---- what the state says ------------------------------------------------------------------------------------------- */

static void add_list(struct json_out *o, const char *key, const char *const *list, size_t n)
{
	json_out_array(o, key);
	for (size_t i = 0; i < n; i++)
		json_out_string(o, NULL, list[i]);
	json_out_array_end(o);
}

/* What was done to start it, a line for each step; nook run --explain says more of the same. */
static void add_plan(struct json_out *o, struct store_run *r, const struct container *c, struct arena *a)
{
	const struct plan *p = NULL;

	json_out_array(o, "plan");
	if (plan_load(r, c->id, a, &p, NULL) == 0)
		for (uint32_t i = 0; i < p->n_steps; i++) {
			const char *object = plan_str(p, p->steps[i].object);

			json_out_string(o, NULL, arena_printf(a, "%s%s%s", step_kinds[p->steps[i].kind].word, *object ? " " : "", object));
		}
	json_out_array_end(o);
}

/* As an image of it would say it: the part about the process. */
static void add_config(struct json_out *o, const struct container *c)
{
	AUTO(json_free) struct json *root = NULL;
	struct json *config = NULL;

	if (*c->config && json_parse(c->config, strlen(c->config), c->id, STEP_STATE, &root, NULL) == 0 &&
		json_find(root, "config", &config))
		json_out_tree(o, "config", config);
}

static void add_container(struct json_out *o, struct store_run *r, const struct container *c, struct arena *a)
{
	enum container_status status = container_status(c);
	bool lives = status == CONTAINER_RUNNING || status == CONTAINER_PAUSED || status == CONTAINER_CREATED;

	json_out_object(o, NULL);
	json_out_string(o, "id", c->id);
	json_out_string(o, "name", c->name);
	json_out_string(o, "status", container_status_names[status]);
	json_out_i64(o, "pid", lives ? c->pid : 0);
	json_out_i64(o, "exitStatus", c->exit_status);
	json_out_string(o, "source", c->source);
	json_out_string(o, "rootfs", c->rootfs);
	json_out_string(o, "bundle", c->bundle);
	json_out_string(o, "command", c->command);
	add_config(o, c);
	json_out_string(o, "created", ago_stamp(a, c->created_ns));
	json_out_string(o, "started", ago_stamp(a, c->started_ns));
	json_out_string(o, "finished", ago_stamp(a, c->finished_ns));
	json_out_i64(o, "supervisor", container_is_supervised(c) ? c->supervisor : 0);
	json_out_bool(o, "autoRemove", c->auto_remove);
	json_out_string(o, "damage", c->damage);
	add_list(o, "cgroups", c->cgroups, c->n_cgroups);
	add_list(o, "paths", c->paths, c->n_paths);
	add_list(o, "kept", c->kept, c->n_kept);
	add_list(o, "volumes", c->volumes, c->n_volumes);
	json_out_object(o, "annotations");
	for (size_t i = 0; i < c->n_annotations; i++)
		json_out_string(o, c->annotations[i].key, c->annotations[i].value);
	json_out_object_end(o);
	if (lives)
		add_running(o, c, a);
	add_plan(o, r, c, a);
	json_out_object_end(o);
}

/* ---- the command --------------------------------------------------------------------------------------------------- */

static int parse_types(const char *text, unsigned *ret, struct nook_error *e)
{
	*ret = CONTAINER | IMAGE | VOLUME;
	if (!text)
		return 0;
	for (size_t i = 0; i < sizeof(type_words) / sizeof(type_words[0]); i++)
		if (text_is(text, type_words[i].name)) {
			*ret = type_words[i].types;
			return 0;
		}
	return err_fmt(e, STEP_OPTION, "--type", EINVAL, "\"%.40s\" is none of container, image and volume", text);
}

/* What there is of this name, as one more object. */
static int add_one(struct cli *c, struct store_run *r, unsigned types, const char *name, struct json_out *out, struct nook_error *e)
{
	struct container container;
	int code = -ENOENT;

	if (types & CONTAINER)
		code = container_load(r, name, c->arena, &container, e);
	if (code == 0 && (types & CONTAINER))
		add_container(out, r, &container, c->arena);
	if (code < 0 && (types & IMAGE) && inspect_image(c, name, out) == 0)
		return 0;
	if (code < 0 && (types & VOLUME) && inspect_volume(c, r, name, out, types == VOLUME ? e : NULL) == 0)
		return 0;
	return code < 0 && types == IMAGE ? err_why(e, STEP_IMAGE, name, ENOENT, "there is no such image") : code;
}

static int run(struct cli *c, void *options, int argc, char **argv, struct nook_error *e)
{
	const struct options *o = options;
	unsigned types = 0;
	AUTO_VALUE(buf_done) struct buf text = {0};
	struct json_out out = {.text = &text, .style = JSON_PRETTY};
	AUTO(runtime_close) struct store_run *r = NULL;
	int status = 0;

	TRY(parse_types(o->type, &types, e));
	TRY(runtime_open(c->run, c->arena, &r, e));
	json_out_array(&out, NULL);
	for (int i = 0; i < argc; i++) {
		struct nook_error one = NOOK_ERROR_INIT;

		if (add_one(c, r, types, argv[i], &out, &one) < 0) {
			cli_error(c, &one);
			status = 1;
		}
	}
	json_out_array_end(&out);
	buf_addc(&text, '\n');
	TRY(inspect_show(&text, o->format, e));
	return status;
}

const struct command cmd_inspect = {
	.name = "inspect",
	.usage = "[OPTIONS] CONTAINER|IMAGE|VOLUME...",
	.summary = "show all that is known of containers, images or volumes, as JSON",
	.options = options_table,
	.options_size = sizeof(struct options),
	.min_args = 1,
	.max_args = -1,
	.run = run,
	.examples = "nook inspect web\nnook inspect -f '{{.pid}} {{.namespaces.net.inode}}' web\nnook inspect -f '{{.config.Cmd}}' debian:12\n",
};
