/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * From a box, this machine and a command to a plan.  The order is that of spec_defaults.h: what every box has, what the
 * rules say, what follows from both.
 *
 * A box has no state directory.  Groups are made only for limits that need them: the number of processes is limited within
 * the user namespace, by RLIMIT_NPROC.
 */
#include "box/box.h"

#include "base/path.h"
#include "base/text.h"
#include "box/filter.h"
#include "box/ids.h"
#include "box/view.h"
#include "runtime/idrange.h"
#include "spec/spec_defaults.h"

#include <fcntl.h>
#include <sys/random.h>

struct make {
	const struct nook_box *box;
	struct arena *arena;
	struct spec *spec;
	struct plan_host host;
	struct cgroup_layout layout;
	struct cgroup_want want;
	bool has_groups;
	const char *home;
};

/* ---- namespaces ------------------------------------------------------------------------------------------------------ */

static int make_namespaces(struct make *m, struct nook_error *e)
{
	struct spec *s = m->spec;

	spec_default_namespaces(s);
	for (int kind = 0; kind < NS_COUNT; kind++)
		if (m->box->shared & (1U << kind))
			s->ns[kind].mode = NS_HOST;
	TRY(box_network_spec(m->box, m->arena, s, e));
	s->net_loopback_up = s->ns[NS_NET].mode == NS_PRIVATE;
	if (s->ns[NS_UTS].mode == NS_PRIVATE)
		s->hostname = m->box->hostname ? m->box->hostname : "box";
	return 0;
}

/* ---- what is allowed ----------------------------------------------------------------------------------------------- */

static void make_security(struct make *m)
{
	struct spec *s = m->spec;
	struct spec_process *p = &s->process;

	spec_default_security(s);
	/* There are no devices but those of the box's own /dev, so no rules about them are needed. */
	s->resources.n_devices = 0;
	for (int i = 0; i < CAPS_SETS; i++)
		p->caps[i] = m->box->caps;
	p->landlock_scope = true;
	p->init = true;
	p->die_with_parent = true;
}

/* ---- groups -------------------------------------------------------------------------------------------------------- */

static int make_groups(struct make *m, struct nook_error *e)
{
	const struct box_limits *l = &m->box->limits;
	unsigned missing_ok = (l->mem.set ? BOX_FEATURE_MEM : 0) | (l->cpu.set ? BOX_FEATURE_CPU : 0);
	uint64_t id;
	int r;

	if (!missing_ok)
		return 0;
	if (getrandom(&id, sizeof(id), 0) != sizeof(id))
		return err_sys(e, STEP_CGROUP, "random");
	TRY(cgroup_layout_read(m->arena, AT_FDCWD, &m->layout, e));
	r = cgroup_want(m->arena, &m->layout, &m->spec->resources, arena_printf(m->arena, BOX_GROUP_PREFIX "%016llx", (unsigned long long)id),
		&m->want, e);
	if (r < 0 && (m->box->best_effort & missing_ok) == missing_ok) {
		m->spec->resources.memory_limit = m->spec->resources.memory_swap = m->spec->resources.cpu_quota = (struct opt_i64){0};
		m->spec->resources.cpu_period = (struct opt_u64){0};
		m->want = (struct cgroup_want){0};
		return 0;
	}
	m->has_groups = true;
	return r < 0 ? r : 0;
}

/* ---- the process --------------------------------------------------------------------------------------------------- */

/* Variables that a program needs to behave and that tell nothing of the caller's secrets. */
static const char *const harmless[] = {"PATH", "TERM", "LANG", "LANGUAGE", "USER", "LOGNAME", "SHELL", "COLORTERM", "TZ", "NO_COLOR"};

static bool is_harmless(const char *variable, size_t len)
{
	for (size_t i = 0; i < sizeof(harmless) / sizeof(harmless[0]); i++)
		if (strlen(harmless[i]) == len && !strncmp(harmless[i], variable, len))
			return true;
	return !strncmp(variable, "LC_", 3);
}

static void make_env(struct make *m)
{
	const struct nook_box *b = m->box;
	const char **list = NULL;
	size_t n = 0;

	*arena_push(m->arena, &list, &n) = arena_printf(m->arena, "PATH=%s", spec_default_path);
	*arena_push(m->arena, &list, &n) = arena_printf(m->arena, "HOME=%s", m->home);
	for (char **v = environ; !b->clearenv && v && *v; v++)
		if (is_harmless(*v, strcspn(*v, "=")))
			*arena_push(m->arena, &list, &n) = arena_strdup(m->arena, *v);
	box_network_env(b, m->arena, &list, &n);
	for (size_t i = 0; i < b->n_env; i++) {
		const char *value = b->env[i].value ? b->env[i].value : getenv(b->env[i].name);

		if (value)
			*arena_push(m->arena, &list, &n) = arena_printf(m->arena, "%s=%s", b->env[i].name, value);
	}
	if (box_bus_env(b))
		*arena_push(m->arena, &list, &n) = box_bus_env(b);
	(void)arena_push(m->arena, &list, &n);
	m->spec->process.env = list;
}

/* Is PATH the target, or below the target, of a rule that shows something? */
static bool is_shown(const struct nook_box *b, const char *path)
{
	for (size_t i = 0; i < b->n_paths; i++) {
		const struct box_path *p = &b->paths[i];

		if (p->kind <= BOX_PATH_OVERLAY && path_below(path, p->target) && text_is(p->source, p->target))
			return true;
	}
	return false;
}

static void make_process(struct make *m, const char *const *argv)
{
	const struct nook_box *b = m->box;
	struct spec_process *p = &m->spec->process;
	uint32_t *keep = arena_new_n(m->arena, uint32_t, b->n_fds + 1);

	spec_default_process(m->spec);
	m->spec->start_fd = b->start_fd;
	p->argv = argv;
	p->terminal = b->terminal;
	p->rows = b->rows;
	p->columns = b->columns;
	make_env(m);
	/* A current directory that is in the box stays the current one. */
	p->cwd = b->cwd ? b->cwd : b->base && is_shown(b, b->base) ? b->base : m->home;
	for (size_t i = 0; i < b->n_fds; i++)
		if (b->fds[i].as > 2)
			keep[p->n_keep_fds++] = (uint32_t)b->fds[i].as;
	p->keep_fds = keep;
}

/* The kernel counts processes per user and exempts the machine's root.  Without the right to have other ids (root in a
 * container that has no user namespace) a box's processes are just that. */
static int check_pids(struct make *m, struct plan_result *result, struct nook_error *e)
{
	static const char why[] = "the kernel does not count the processes of the machine's root, and no other id may be taken";
	struct spec_idmap *maps = NULL;
	size_t n = 0;
	auto_close int proc = -EBADF;

	if (m->host.euid || m->host.privileged || m->has_groups || !m->box->limits.pids.set)
		return 0;
	proc = open("/proc/self", O_PATH | O_DIRECTORY | O_CLOEXEC);
	TRY(idrange_read_map(proc, "uid_map", m->arena, &maps, &n, e));
	if (!n || maps[0].inside || maps[0].outside)
		return 0;
	if (m->box->pids_asked && !(m->box->best_effort & BOX_FEATURE_PIDS))
		return err_why(e, STEP_LIMIT, "pids", EOPNOTSUPP, why);
	*arena_push(m->arena, &result->notes, &result->n_notes) = arena_printf(m->arena, "pids: %s", why);
	(void)arena_push(m->arena, &result->notes, &result->n_notes);
	result->n_notes--;
	return 0;
}

int box_compile(const struct nook_box *b, const char *const *argv, struct arena *a, struct box_plan *ret, struct nook_error *e)
{
	AUTO(spec_free) struct spec *spec = spec_new();
	struct make m = {.box = b, .arena = a, .spec = spec};
	struct plan_request q = {.spec = spec, .host = &m.host};
	struct plan_result result = {0};
	struct box_bus bus = {0};
	int r;

	TRY(plan_host_probe(&m.host, e));
	m.home = box_home(a);
	TRY(box_network_check(b, e));
	TRY(make_namespaces(&m, e));
	make_security(&m);
	TRY(box_filter(b, a, spec, e));
	make_process(&m, argv);
	TRY(box_ids(b, &m.host, a, spec, &q, e));
	TRY(box_view(b, m.home, a, spec, e));
	TRY(box_bus_spec(b, a, spec, &bus, e));
	box_limits_spec(b, a, spec);
	TRY(make_groups(&m, e));
	q.cgroups = m.has_groups ? &m.want : NULL;
	m.host.cgroups = m.has_groups ? &m.layout : NULL;
	TRY(spec_check(spec, e));
	TRY(plan_build(a, &q, &result, e));
	r = check_pids(&m, &result, e);
	if (r < 0) {
		plan_free(result.plan);
		return r;
	}
	*ret = (struct box_plan){
		.plan = result.plan,
		.notes = result.notes,
		.bounds = {b->limits.wall_us.value, b->limits.time_us.value, b->limits.output.value},
	};
	box_network_of(b, a, &ret->network, &ret->hosts);
	ret->network.bus = bus;
	return 0;
}
