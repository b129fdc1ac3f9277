/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Which groups a container gets, and what is written into them.
 *
 * A controller is taken where it lives: on v1 when it is mounted there, else on v2, else (only when it was asked for) in
 * a v1 hierarchy that is mounted for it.  Beside the controllers of the limits that are set, these groups are made:
 *
 *   v2         always, also when all controllers live on v1: being born in it costs nothing (CLONE_INTO_CGROUP), and it
 *              gives cgroup.kill, cgroup.freeze, cpu.stat, pressure and the device program
 *   freezer    v1 alone: killing and pausing need it
 *   name=systemd   v1, when the container is shown it: cgroup_layout_show()
 *   memory, blkio, cpuacct, pids   for statistics, which engines read from the groups themselves; each costs about
 *              55 us to make, join and remove
 *
 * What v1 groups used to cost was joining them, 6 to 11 ms for the first; see cgroup_join_open() for the way around.
 */
#include "base/fd.h"
#include "base/text.h"
#include "cgroup/devices.h"
#include "cgroup/dir.h"
#include "cgroup/limits.h"
#include "cgroup/sockbpf.h"

#include <linux/bpf.h>

static const unsigned statistics = 1U << CGROUP_MEMORY | 1U << CGROUP_BLKIO | 1U << CGROUP_CPUACCT | 1U << CGROUP_PIDS;
/* v2 needs no controller for these: the group itself is enough. */
static const unsigned v2_implicit = 1U << CGROUP_CPUACCT | 1U << CGROUP_FREEZER | 1U << CGROUP_PERF_EVENT | 1U << CGROUP_DEVICES |
                                    1U << CGROUP_NET_CLS | 1U << CGROUP_NET_PRIO;

struct wanting {
	struct arena *arena;
	const struct cgroup_layout *l;
	const struct spec_resources *r;
	const char *path;
	const struct cgroup *existing; /* groups that are there already, or NULL */
	bool starts;                   /* those are for a container that is about to start, not for one that runs */
	struct cgroup_want *want;
	unsigned asked, defaults;
	const char *base[CGROUP_HIERARCHIES_MAX]; /* where groups are made; NULL: nowhere */
	unsigned given[CGROUP_HIERARCHIES_MAX];   /* controllers a group there can have */
	bool judged[CGROUP_HIERARCHIES_MAX];
	int hierarchy[CGROUP_CONTROLLERS];        /* of each controller that gets a group, else -1 */
	int dir[CGROUP_CONTROLLERS];              /* index into want->dirs, else -1 */
	int v2_dir;
};

/* ---- where groups may be made --------------------------------------------------------------------------------------- */

static bool may_write(struct arena *a, const char *dir, const char *file)
{
	return access(file ? arena_printf(a, "%s/%s", dir, file) : dir, W_OK) == 0;
}

static unsigned read_controllers(struct arena *a, const char *dir, const char *file)
{
	AUTO_VALUE(buf_done) struct buf text = {0};

	if (file_read(AT_FDCWD, arena_printf(a, "%s/%s", dir, file), 4096, &text, NULL) < 0)
		return 0;
	return cgroup_controllers_in(buf_text(&text));
}

/* The caller alone would step aside, see cgroup_dir_make(). */
static bool has_processes(struct arena *a, const char *dir)
{
	AUTO_VALUE(buf_done) struct buf text = {0};

	return file_read(AT_FDCWD, arena_printf(a, "%s/cgroup.procs", dir), 16 * 1024 * 1024, &text, NULL) == 0 && text.len &&
	       !cgroup_is_only_member(text.data);
}

/* Controllers that groups below DIR can have on v2: only the real root may have both processes and controllers below. */
static unsigned given_below(struct wanting *w, const struct cgroup_hierarchy *h, const char *dir, unsigned needed)
{
	unsigned enabled;

	if (!(needed & h->controllers) || access(arena_printf(w->arena, "%s/cgroup.type", dir), F_OK) < 0)
		return h->controllers;
	enabled = read_controllers(w->arena, dir, "cgroup.subtree_control");
	if (!(needed & h->controllers & ~enabled) || has_processes(w->arena, dir))
		return enabled;
	return read_controllers(w->arena, dir, "cgroup.controllers");
}

/* The group that the container has in this hierarchy, or NULL. */
static const char *existing_in(const struct wanting *w, const struct cgroup_hierarchy *h)
{
	for (size_t i = 0; w->existing && i < w->existing->n; i++) {
		const char *rest = text_after(w->existing->dirs[i], h->mount);

		if (rest && text_is(rest, w->path))
			return w->existing->dirs[i];
	}
	return NULL;
}

/* The group in which ours are made: the top if the caller may, else the nearest one above the caller's own that was
 * delegated to it, best one that can pass on all that is needed. */
static void judge(struct wanting *w, int i, unsigned needed)
{
	const struct cgroup_hierarchy *h = &w->l->h[i];

	if (w->judged[i])
		return;
	w->judged[i] = true;
	if (!h->mount || h->readonly)
		return;
	if (existing_in(w, h)) {
		char *parent = arena_strdup(w->arena, existing_in(w, h));

		*strrchr(parent, '/') = 0;
		w->base[i] = h->mount;
		w->given[i] = h->v2 ? read_controllers(w->arena, parent, "cgroup.controllers") : h->controllers;
		return;
	}
	if (w->l->all_ours || may_write(w->arena, h->mount, NULL)) {
		w->base[i] = h->mount;
		w->given[i] = h->v2 ? given_below(w, h, h->mount, needed) : h->controllers;
		return;
	}
	if (w->path[0] == '/' || !h->self)
		return;
	for (char *dir = arena_strdup(w->arena, h->self); strlen(dir) > strlen(h->mount); *strrchr(dir, '/') = 0) {
		unsigned given;

		if (!may_write(w->arena, dir, NULL) || !may_write(w->arena, dir, "cgroup.procs"))
			break;
		given = h->v2 ? given_below(w, h, dir, needed) : h->controllers;
		if (w->base[i] && (needed & given & ~w->given[i]) == 0)
			continue;
		w->base[i] = arena_strdup(w->arena, dir);
		w->given[i] = given;
	}
}

/* ---- one controller after the other --------------------------------------------------------------------------------- */

static int no_controller(struct wanting *w, enum cgroup_controller c, const char *why, struct nook_error *e)
{
	return err_fmt(e, STEP_LIMIT, limits_member(w->r, c), EOPNOTSUPP, "%s", why);
}

static const char *why_not_there(struct wanting *w, enum cgroup_controller c, int i)
{
	const struct cgroup_hierarchy *h = i >= 0 ? &w->l->h[i] : NULL;

	if (!h || !h->mount)
		return arena_printf(w->arena, "no %s controller is mounted", cgroup_names[c]);
	if (h->readonly)
		return arena_printf(w->arena, "%s is mounted read-only", h->mount);
	if (!w->base[i])
		return arena_printf(w->arena, "no group may be made below %s (not delegated to uid %u)", h->mount, (unsigned)geteuid());
	return arena_printf(w->arena, "%s has processes of its own or was not given the %s controller", w->base[i],
	                    h->v2 && c == CGROUP_BLKIO ? "io" : cgroup_names[c]);
}

/* Beside v1 controllers, net_cls and net_prio keep their v1 meaning (tc filters look for it) if the kernel has them. */
static bool keeps_v1(struct wanting *w, enum cgroup_controller c)
{
	return w->l->hybrid && (c == CGROUP_NET_CLS || c == CGROUP_NET_PRIO) &&
	       (cgroup_layout_find(w->l, c) >= 0 || (cgroup_layout_spare(w->l) & 1U << c));
}

/* Where a controller is taken; -1 and a reason when it cannot be had. */
static int find_place(struct wanting *w, enum cgroup_controller c, unsigned needed, const char **ret_why)
{
	int i = cgroup_layout_find(w->l, c);

	if ((i < 0 || !w->l->h[i].mount) && w->l->v2 >= 0 && (v2_implicit & 1U << c) && !keeps_v1(w, c))
		i = w->l->v2;
	if (i >= 0)
		judge(w, i, needed);
	if (i >= 0 && w->base[i] && ((w->given[i] & 1U << c) || (i == w->l->v2 && (v2_implicit & 1U << c))))
		return i;
	*ret_why = why_not_there(w, c, i);
	return -1;
}

static int add_dir(struct wanting *w, const char *path, const char *mount, const char *prepare, bool v2)
{
	*arena_push(w->arena, &w->want->dirs, &w->want->n_dirs) =
		(struct cgroup_dir){.path = path, .mount = mount, .prepare = prepare, .v2 = v2};
	w->want->dirs[w->want->n_dirs - 1].given = w->starts;
	return (int)w->want->n_dirs - 1;
}

static const char *relative(const char *path)
{
	return path + strspn(path, "/");
}

/* A v1 hierarchy that is mounted for this container: a new one, or one that lives on without a mount. */
static int mount_on_demand(struct wanting *w, enum cgroup_controller c, struct nook_error *e)
{
	int i = cgroup_layout_find(w->l, c);
	bool alive = i >= 0 && !w->l->h[i].v2 && !w->l->h[i].mount;

	if (!alive && !(cgroup_layout_spare(w->l) & 1U << c))
		return i < 0 ? no_controller(w, c, arena_printf(w->arena, "this kernel has no %s controller", cgroup_names[c]), e)
		             : no_controller(w, c, why_not_there(w, c, i), e);
	if (geteuid())
		return err_fmt(e, STEP_LIMIT, limits_member(w->r, c), EPERM, "the %s controller is not mounted, which only root can do",
		               cgroup_names[c]);
	w->dir[c] = add_dir(w, arena_printf(w->arena, "%s:/%s", alive ? w->l->h[i].list : cgroup_names[c], relative(w->path)), "", "",
	                    false);
	return 0;
}

static int place_controllers(struct wanting *w, struct nook_error *e)
{
	const char *why = NULL;

	for (int c = 0; c < CGROUP_CONTROLLERS; c++) {
		bool is_asked = w->asked & 1U << c;

		w->hierarchy[c] = w->dir[c] = -1;
		if (!((w->asked | w->defaults) & 1U << c))
			continue;
		w->hierarchy[c] = find_place(w, (enum cgroup_controller)c, w->asked | w->defaults, &why);
		if (w->hierarchy[c] >= 0)
			continue;
		int at = cgroup_layout_find(w->l, (enum cgroup_controller)c);

		if (is_asked && at >= 0 && w->l->h[at].mount)
			return no_controller(w, (enum cgroup_controller)c, why, e);
		if (is_asked)
			TRY(mount_on_demand(w, (enum cgroup_controller)c, e));
		else if (c == CGROUP_PIDS && w->r->pids_limit.set)
			*arena_push(w->arena, &w->want->notes, &w->want->n_notes) = arena_printf(
				w->arena, "the limit of %lld processes is not enforced: %s", (long long)w->r->pids_limit.value, why);
		else if (c == CGROUP_DEVICES && !geteuid()) /* others cannot make device nodes that work */
			*arena_push(w->arena, &w->want->notes, &w->want->n_notes) =
				arena_printf(w->arena, "device rules are not enforced: %s", why);
	}
	return 0;
}

static const char *prepare_of(struct wanting *w, int hierarchy)
{
	AUTO_VALUE(buf_done) struct buf text = {0};

	if (!w->l->h[hierarchy].v2)
		return w->hierarchy[CGROUP_CPUSET] == hierarchy ? "cpuset" : "";
	for (int c = 0; c < CGROUP_CONTROLLERS; c++)
		if (w->hierarchy[c] == hierarchy && (w->given[hierarchy] & 1U << c))
			buf_addf(&text, "%s+%s", text.len ? " " : "", c == CGROUP_BLKIO ? "io" : cgroup_names[c]);
	return arena_strdup(w->arena, buf_text(&text));
}

static void make_dirs(struct wanting *w)
{
	for (int i = 0; i < (int)w->l->n; i++) {
		const struct cgroup_hierarchy *h = &w->l->h[i];
		/* A hierarchy without controllers has members all the same: systemd's own on v1. */
		bool used = (h->v2 && w->base[i]) || (w->starts && h->mount && existing_in(w, h));
		int dir;

		for (int c = 0; c < CGROUP_CONTROLLERS; c++)
			used |= w->hierarchy[c] == i;
		if (h->shown && !used) {
			judge(w, i, 0);
			used = w->base[i] != NULL;
		}
		if (!used)
			continue;
		if (!w->base[i])
			w->base[i] = h->mount;
		dir = add_dir(w, arena_printf(w->arena, "%s/%s", w->base[i], relative(w->path)), w->base[i], prepare_of(w, i), h->v2);
		if (h->v2)
			w->want->into = w->v2_dir = dir;
		for (int c = 0; c < CGROUP_CONTROLLERS; c++)
			if (w->hierarchy[c] == i)
				w->dir[c] = dir;
	}
}

/* ---- what is written ------------------------------------------------------------------------------------------------ */

static void add_write(struct wanting *w, int dir, const char *file, const char *value, bool optional)
{
	*arena_push(w->arena, &w->want->writes, &w->want->n_writes) =
		(struct cgroup_write){.dir = dir, .file = file, .value = value, .optional = optional};
}

static int write_limits(struct wanting *w, struct nook_error *e)
{
	enum cgroup_version where[CGROUP_CONTROLLERS] = {0};
	struct limit_list list = {0};

	for (int c = 0; c < CGROUP_CONTROLLERS; c++)
		if (w->dir[c] >= 0)
			where[c] = w->dir[c] == w->v2_dir ? CGROUP_V2 : CGROUP_V1;
	TRY(limits_spell(w->arena, w->r, where, &list, e));
	for (size_t i = 0; i < list.n; i++)
		add_write(w, w->dir[list.items[i].controller], list.items[i].file, list.items[i].value, list.items[i].optional);
	if (w->r->memory_kernel.set && w->r->memory_kernel.value > 0)
		*arena_push(w->arena, &w->want->notes, &w->want->n_notes) =
			"the kernel memory limit is not enforced: Linux has removed it; kernel memory counts as memory";
	return 0;
}

/* Files of v2 by name, for what nook has no word for. */
static int write_unified(struct wanting *w, struct nook_error *e)
{
	for (size_t i = 0; i < w->r->n_unified; i++) {
		const struct spec_pair *p = &w->r->unified[i];
		size_t len = strcspn(p->key, ".");
		int c = cgroup_controller_find(p->key, len);

		if (!p->key[len] || strpbrk(p->key, "/|"))
			return err_why(e, STEP_LIMIT, p->key, EINVAL, "no name of a cgroup v2 file");
		if (w->v2_dir < 0)
			return err_why(e, STEP_LIMIT, p->key, EOPNOTSUPP, "there is no cgroup v2 tree to write it in");
		if (c >= 0 && !(w->given[w->l->v2] & 1U << c))
			return err_fmt(e, STEP_LIMIT, p->key, EOPNOTSUPP, "the %s controller is not on cgroup v2 here", cgroup_names[c]);
		add_write(w, w->v2_dir, p->key, p->value, false);
	}
	return 0;
}

static void add_bpf(struct wanting *w, uint32_t type, uint32_t attach, const struct bpf_list *insns, const char *what)
{
	*arena_push(w->arena, &w->want->bpf, &w->want->n_bpf) = (struct cgroup_bpf){
		.dir = w->v2_dir,
		.prog_type = type,
		.attach_type = attach,
		.insns = insns->insns,
		.n_insns = insns->n,
		.what = what,
	};
}

static int device_rules(struct wanting *w, struct nook_error *e)
{
	enum { DEVICES_MAX = 1 << 20 };
	AUTO_VALUE(buf_done) struct buf now = {0};
	struct bpf_list program = {0};
	struct device_line *lines = NULL;
	size_t n_lines = 0;

	if (w->dir[CGROUP_DEVICES] < 0)
		return 0;
	if (w->dir[CGROUP_DEVICES] == w->v2_dir) {
		TRY(devices_program(w->arena, w->r->devices, w->r->n_devices, &program, e));
		add_bpf(w, BPF_PROG_TYPE_CGROUP_DEVICE, BPF_CGROUP_DEVICE, &program, "device rules");
		return 0;
	}
	TRY(devices_v1(w->arena, w->r->devices, w->r->n_devices, &lines, &n_lines, e));
	if (w->existing && !w->starts && file_read(AT_FDCWD, arena_printf(w->arena, "%s/devices.list",
			w->want->dirs[w->dir[CGROUP_DEVICES]].path), DEVICES_MAX, &now, NULL) == 0)
		devices_v1_change(w->arena, buf_text(&now), &lines, &n_lines);
	for (size_t i = 0; i < n_lines; i++)
		add_write(w, w->dir[CGROUP_DEVICES], lines[i].file, lines[i].value, false);
	return 0;
}

static int socket_rules(struct wanting *w, struct nook_error *e)
{
	bool mark = w->r->net_classid.set && w->dir[CGROUP_NET_CLS] >= 0 && w->dir[CGROUP_NET_CLS] == w->v2_dir;
	bool priority = w->r->n_net_prios && w->dir[CGROUP_NET_PRIO] >= 0 && w->dir[CGROUP_NET_PRIO] == w->v2_dir;
	struct bpf_list program = {0};

	if (!mark && !priority)
		return 0;
	TRY(sockbpf_program(w->arena, mark ? &w->r->net_classid : NULL, w->r->net_prios, priority ? w->r->n_net_prios : 0, &program, e));
	add_bpf(w, BPF_PROG_TYPE_CGROUP_SOCK, BPF_CGROUP_INET_SOCK_CREATE, &program, "mark and priority of sockets");
	return 0;
}

static int check_path(const char *path, struct nook_error *e)
{
	for (const char *p = relative(path); *p;) {
		size_t len = strcspn(p, "/");

		if (len > NAME_MAX || (len <= 2 && !strncmp(p, "..", len)))
			return err_why(e, STEP_CGROUP, path, EINVAL, "a cgroup path has no \".\", \"..\" or names longer than 255 bytes");
		p += len;
		p += strspn(p, "/");
	}
	return *relative(path) ? 0 : err_why(e, STEP_CGROUP, path, EINVAL, "the top of the hierarchy cannot be a container's group");
}

static int want(struct wanting *w, struct cgroup_want *ret, struct nook_error *e)
{
	struct cgroup_want *result = w->want;

	result->into = -1;
	w->v2_dir = -1;
	TRY(check_path(w->path, e));
	limits_controllers(w->r, &w->asked, &w->defaults);
	for (size_t i = 0; i < w->r->n_unified; i++) {
		int c = cgroup_controller_find(w->r->unified[i].key, strcspn(w->r->unified[i].key, "."));

		w->asked |= c >= 0 ? 1U << c : 0;
	}
	if (!w->existing || w->starts)
		w->defaults |= statistics | (w->l->v2 < 0 ? 1U << CGROUP_FREEZER : 0);
	/* "No limit" needs no group, but is to be written in the one that has had a limit. */
	else if (w->r->pids_limit.set && !(w->asked & 1U << CGROUP_PIDS))
		w->defaults |= 1U << CGROUP_PIDS;
	if (!devices_allow_all(w->r->devices, w->r->n_devices))
		w->defaults |= 1U << CGROUP_DEVICES;
	if (w->l->v2 >= 0)
		judge(w, w->l->v2, w->asked | w->defaults);
	TRY(place_controllers(w, e));
	make_dirs(w);
	TRY(device_rules(w, e));
	TRY(write_limits(w, e));
	TRY(write_unified(w, e));
	TRY(socket_rules(w, e));
	/* The list ends with NULL, which n_notes does not count. */
	if (result->n_notes)
		*arena_push(w->arena, &result->notes, &result->n_notes) = NULL;
	result->n_notes -= result->n_notes ? 1 : 0;
	*ret = *result;
	return 0;
}

int cgroup_want(struct arena *a, const struct cgroup_layout *l, const struct spec_resources *r, const char *path,
                struct cgroup_want *ret, struct nook_error *e)
{
	struct cgroup_want result = {0};
	struct wanting w = {.arena = a, .l = l, .r = r, .path = path, .want = &result};

	return want(&w, ret, e);
}

/* "/nook-ID" of "/sys/fs/cgroup/pids/nook-ID". */
static const char *path_in_hierarchy(const struct cgroup_layout *l, const char *dir)
{
	const char *best = cgroup_unmounted_path(dir);

	for (size_t i = 0; i < l->n; i++) {
		const char *rest = l->h[i].mount ? text_after(dir, l->h[i].mount) : NULL;

		/* The longest mount wins: "/sys/fs/cgroup" may be one beside "/sys/fs/cgroup/unified". */
		if (rest && *rest == '/' && (!best || strlen(rest) < strlen(best)))
			best = rest;
	}
	return best;
}

static int want_beside(struct arena *a, const struct cgroup_layout *l, const struct spec_resources *r, const struct cgroup *existing,
                       bool starts, struct cgroup_want *ret, struct nook_error *e)
{
	struct cgroup_want result = {0};
	struct wanting w = {.arena = a, .l = l, .r = r, .existing = existing, .starts = starts, .want = &result};

	w.path = existing->n ? path_in_hierarchy(l, existing->dirs[0]) : NULL;
	if (!w.path)
		return err_why(e, STEP_CGROUP, existing->n ? existing->dirs[0] : "", ENOENT, "the container has no group here");
	return want(&w, ret, e);
}

int cgroup_want_more(struct arena *a, const struct cgroup_layout *l, const struct spec_resources *r, const struct cgroup *existing,
                     struct cgroup_want *ret, struct nook_error *e)
{
	return want_beside(a, l, r, existing, false, ret, e);
}

int cgroup_want_in(struct arena *a, const struct cgroup_layout *l, const struct spec_resources *r, const struct cgroup *existing,
                   struct cgroup_want *ret, struct nook_error *e)
{
	return want_beside(a, l, r, existing, true, ret, e);
}
