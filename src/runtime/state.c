/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "runtime/store.h"

#include "base/text.h"
#include "json/bind.h"
#include "sys/resctrl.h"

/* States are about a kilobyte; annotations and what an image says may add to that.  ROOM is for what a start adds. */
enum { STATE_LIMIT = 4 << 20, STATE_ROOM = 64 << 10 };

static const struct bind state_table[] = {
	{AT(struct container, oci_version), BIND_STRING, "ociVersion"},
	{AT(struct container, id), BIND_STRING, "id", .flags = BIND_REQUIRED},
	{AT(struct container, name), BIND_STRING, "name"},
	{AT(struct container, source), BIND_STRING, "source"},
	{AT(struct container, bundle), BIND_STRING, "bundle"},
	{AT(struct container, rootfs), BIND_STRING, "rootfs"},
	{AT(struct container, command), BIND_STRING, "command"},
	{AT(struct container, config), BIND_STRING, "config"},
	{AT(struct container, creating), BIND_BOOL, "creating"},
	{AT(struct container, auto_remove), BIND_BOOL, "autoRemove"},
	{AT(struct container, tied), BIND_BOOL, "tied"},
	{AT(struct container, created_ns), BIND_INT, "createdNs"},
	{AT(struct container, started_ns), BIND_INT, "startedNs"},
	{AT(struct container, finished_ns), BIND_INT, "finishedNs"},
	{AT(struct container, pid), BIND_INT, "pid"},
	{AT(struct container, pid_start), BIND_UINT, "pidStart"},
	{AT(struct container, pid_inode), BIND_UINT, "pidInode"},
	{AT(struct container, supervisor), BIND_INT, "supervisor"},
	{AT(struct container, supervisor_start), BIND_UINT, "supervisorStart"},
	{AT(struct container, exit_status), BIND_INT, "exitStatus", .flags = BIND_ALWAYS},
	{LIST(struct container, cgroups, n_cgroups), BIND_STRINGS, "cgroups"},
	{AT(struct container, range_base), BIND_UINT, "rangeBase"},
	{LIST(struct container, paths, n_paths), BIND_STRINGS, "paths"},
	{AT(struct container, unit), BIND_STRING, "unit"},
	{AT(struct container, user_unit), BIND_BOOL, "userUnit"},
	{LIST(struct container, kept, n_kept), BIND_STRINGS, "kept"},
	{LIST(struct container, volumes, n_volumes), BIND_STRINGS, "volumes"},
	{LIST(struct container, rdt, n_rdt), BIND_STRINGS, "rdt"},
	{LIST(struct container, annotations, n_annotations), BIND_MAP, "annotations"},
	{0},
};

static void fill_absent(struct container *c)
{
	const char **texts[] = {&c->id, &c->name, &c->source, &c->bundle, &c->command, &c->oci_version, &c->rootfs, &c->config,
		&c->unit, &c->damage};

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		if (!*texts[i])
			*texts[i] = "";
}

/* Fits the types but cannot be ours: such a state is not acted upon. */
static const char *find_nonsense(const struct container *c, const char *id)
{
	if (!c->id || !text_is(c->id, id))
		return "it is the state of another id";
	if (c->name && c->name[0] && container_id_check(c->name, NULL) < 0)
		return "its name is not a possible one";
	if (c->pid < 0 || c->supervisor < 0)
		return "it has a negative pid";
	for (size_t i = 0; i < c->n_cgroups; i++)
		if (c->cgroups[i][0] != '/' && !strstr(c->cgroups[i], ":/"))
			return "it has a relative cgroup";
	for (size_t i = 0; i < c->n_paths; i++)
		if (c->paths[i][0] != '/' || !c->paths[i][1])
			return "it has a relative path";
	for (size_t i = 0; i < c->n_kept; i++)
		if (c->kept[i][0] != '/' || !c->kept[i][1])
			return "it has a relative path";
	for (size_t i = 0; i < c->n_rdt; i++)
		if (!text_after(c->rdt[i], RESCTRL_ROOT "/") || strstr(c->rdt[i], ".."))
			return "it has a resctrl group elsewhere";
	return NULL;
}

void state_add_groups(int dir, const char *name, struct arena *a, struct container *c)
{
	AUTO_VALUE(buf_done) struct buf text = {0};
	const char **all;
	size_t n = c->n_cgroups, lines = 0;

	if (file_read(dir, name, STATE_LIMIT, &text, NULL) < 0)
		return;
	for (const char *p = buf_text(&text); *p; p++)
		lines += *p == '\n';
	all = arena_new_n(a, const char *, n + lines + 1);
	if (n)
		memcpy(all, c->cgroups, n * sizeof(*all));
	for (const char *p = buf_text(&text); lines > 0; lines--) {
		size_t len = strcspn(p, "\n");

		all[n++] = arena_strndup(a, p, len);
		p += len + 1;
	}
	c->cgroups = all;
	c->n_cgroups = n;
}

int state_load_own(int dir, const char *name, const char *id, struct arena *a, struct container *ret)
{
	struct container c = {.exit_status = -1};
	struct nook_error e = NOOK_ERROR_INIT;
	AUTO_VALUE(buf_done) struct buf text = {0};
	AUTO(json_free) struct json *root = NULL;
	int r = file_read_piece(dir, name, STATE_LIMIT, &text, &e);
	const char *damage = NULL;

	e.step = STEP_STATE;
	if (r == 0)
		r = json_parse(buf_text(&text), text.len, name, STEP_STATE, &root, &e);
	if (r == 0)
		r = bind_read(root, state_table, &c, a, NULL, STEP_STATE, &e);
	if (r == -ENOENT || r == -ENOTDIR)
		return -ENOENT;
	if (r < 0) {
		char why[NOOK_OBJECT_MAX + NOOK_DETAIL_MAX];

		(void)nook_error_text(&e, why, sizeof(why));
		damage = arena_strdup(a, why);
	} else {
		damage = find_nonsense(&c, id);
	}
	if (damage)
		c = (struct container){.creating = true, .exit_status = -1, .damage = damage};
	c.id = arena_strdup(a, id);
	fill_absent(&c);
	*ret = c;
	return 0;
}

int state_load(int dir, const char *name, const char *id, struct arena *a, struct container *ret)
{
	int r = state_load_own(dir, name, id, a, ret);

	if (r == 0 && !ret->damage[0])
		state_add_groups(dir, arena_printf(a, "%.*s" STORE_GROUPS, (int)(strlen(name) - strlen(STORE_STATE)), name), a, ret);
	return r;
}

/* A copy with NULL at its end, which counted lists need not have. */
static const char **terminated(const char *const *list, size_t n)
{
	const char **copy = xcalloc(n + 1, sizeof(*copy));

	if (n)
		memcpy(copy, list, n * sizeof(*copy));
	return copy;
}

/* A container whose state could not be read again would run out of everybody's reach. */
static int check_readable(const struct container *c, size_t len, struct nook_error *e)
{
	if (c->n_annotations > BIND_ITEMS_MAX)
		return err_fmt(e, STEP_CONTAINER, c->id, E2BIG, "has %zu labels and annotations, and at most %d are kept", c->n_annotations,
			BIND_ITEMS_MAX);
	if (len > STATE_LIMIT - STATE_ROOM)
		return err_fmt(e, STEP_CONTAINER, c->id, E2BIG, "its labels, annotations and config take %zu bytes, and at most %d are kept", len,
			STATE_LIMIT - STATE_ROOM);
	return 0;
}

int state_save(int dir, const struct container *c, enum file_sync sync, struct nook_error *e)
{
	auto_free const char **cgroups = terminated(c->cgroups, c->n_cgroups);
	auto_free const char **paths = terminated(c->paths, c->n_paths);
	auto_free const char **kept = terminated(c->kept, c->n_kept);
	auto_free const char **volumes = terminated(c->volumes, c->n_volumes);
	auto_free const char **rdt = terminated(c->rdt, c->n_rdt);
	AUTO_VALUE(buf_done) struct buf text = {0};
	struct container saved = *c;

	saved.cgroups = cgroups;
	saved.paths = paths;
	saved.kept = kept;
	saved.volumes = volumes;
	saved.rdt = rdt;
	bind_text(state_table, &saved, JSON_PLAIN, &text);
	buf_addc(&text, '\n');
	/* What runs already is never refused. */
	if (c->creating)
		TRY(check_readable(c, text.len, e));
	return file_replace(dir, STORE_STATE, text.data, text.len, 0600, sync, e);
}
