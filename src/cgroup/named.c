/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cgroup/named.h"
#include "base/text.h"
#include "cgroup/dir.h"
#include "cgroup/limits.h"

static int check_path(const char *text, const char *path, struct nook_error *e)
{
	for (const char *p = path; *p;) {
		size_t len = strcspn(p, "/");

		if (len > NAME_MAX || (len <= 2 && len && !strncmp(p, "..", len)))
			return err_why(e, STEP_CGROUP, text, EINVAL, "a group's name has no \".\", \"..\" or part longer than 255 bytes");
		p += len;
		p += *p == '/';
	}
	return 0;
}

static void add_dir(struct arena *a, struct cgroup_named *g, const struct cgroup_hierarchy *h, const char *list)
{
	size_t n = g->n;

	*arena_push(a, &g->dirs, &n) = (struct cgroup_dir){
		.path = *g->path ? arena_printf(a, "%s/%s", h->mount, g->path) : h->mount,
		.mount = h->mount,
		.prepare = "",
		.v2 = h->v2,
	};
	*arena_push(a, &g->lists, &g->n) = list;
}

/* One more controller for a hierarchy that may be in the list already. */
static void add_controller(struct arena *a, struct cgroup_named *g, const struct cgroup_hierarchy *h, int c)
{
	struct cgroup_dir *dir = NULL;
	size_t i;

	for (i = 0; i < g->n && !dir; i++)
		if (text_is(g->dirs[i].mount, h->mount))
			dir = &g->dirs[i];
	if (!dir) {
		add_dir(a, g, h, "");
		i = g->n;
		dir = &g->dirs[i - 1];
	}
	g->lists[i - 1] = *g->lists[i - 1] ? arena_printf(a, "%s,%s", g->lists[i - 1], cgroup_names[c]) : cgroup_names[c];
	if (h->v2 && (h->controllers & 1U << c))
		dir->prepare = arena_printf(a, "%s%s+%s", dir->prepare, *dir->prepare ? " " : "", c == CGROUP_BLKIO ? "io" : cgroup_names[c]);
	else if (!h->v2 && c == CGROUP_CPUSET)
		dir->prepare = "cpuset";
}

static int no_controller(const char *name, struct nook_error *e)
{
	if (text_is(name, "ns"))
		return err_why(e, STEP_CGROUP, name, EOPNOTSUPP,
		               "Linux 3.0 removed the ns controller; cgroup namespaces took its place (nook run --cgroupns private)");
	return err_why(e, STEP_CGROUP, name, EINVAL, "no such controller; nook cgroup ls lists them");
}

/* A v1 hierarchy that is mounted nowhere, or could be made. */
static int add_unmounted(struct arena *a, const struct cgroup_layout *l, struct cgroup_named *g, int c, struct nook_error *e)
{
	int i = cgroup_layout_find(l, (enum cgroup_controller)c);
	const char *list = i >= 0 ? l->h[i].list : cgroup_names[c];
	size_t n = g->n;

	if (i < 0 && !(cgroup_layout_spare(l) & 1U << c))
		return err_why(e, STEP_CGROUP, cgroup_names[c], EOPNOTSUPP, "this kernel does not have this controller");
	*arena_push(a, &g->dirs, &n) =
		(struct cgroup_dir){.path = arena_printf(a, "%s:/%s", list, g->path), .mount = "", .prepare = ""};
	*arena_push(a, &g->lists, &g->n) = list;
	return 0;
}

static int add_by_name(struct arena *a, const struct cgroup_layout *l, struct cgroup_named *g, const char *name, struct nook_error *e)
{
	int c = cgroup_controller_find(name, strlen(name)), i;

	if (text_is(name, "v2")) {
		if (l->v2 < 0)
			return err_why(e, STEP_CGROUP, name, EOPNOTSUPP, "no cgroup v2 tree is mounted");
		add_dir(a, g, &l->h[l->v2], "v2");
		return 0;
	}
	for (size_t k = 0; text_after(name, "name=") && k < l->n; k++)
		if (text_is(l->h[k].list, name) && l->h[k].mount) {
			add_dir(a, g, &l->h[k], name);
			return 0;
		}
	if (c < 0)
		return no_controller(name, e);
	i = cgroup_layout_find(l, (enum cgroup_controller)c);
	/* On v2 these need no controller of their own. */
	if (i < 0 && l->v2 >= 0 && (c == CGROUP_FREEZER || c == CGROUP_PERF_EVENT || c == CGROUP_CPUACCT))
		i = l->v2;
	if (i < 0 || !l->h[i].mount)
		return add_unmounted(a, l, g, c, e);
	add_controller(a, g, &l->h[i], c);
	return 0;
}

static void add_all(struct arena *a, const struct cgroup_layout *l, struct cgroup_named *g)
{
	for (size_t i = 0; i < l->n; i++)
		for (int c = 0; c < CGROUP_CONTROLLERS && l->h[i].mount; c++)
			if (l->h[i].controllers & 1U << c)
				add_controller(a, g, &l->h[i], c);
}

static bool exists(const char *path)
{
	auto_close int dir = cgroup_dir_open(path, NULL);

	return dir >= 0;
}

/* Everywhere it exists, the v2 tree without controllers and hierarchies that are mounted nowhere, too. */
static void add_existing(struct arena *a, const struct cgroup_layout *l, struct cgroup_named *g)
{
	for (size_t i = 0; i < l->n; i++) {
		const struct cgroup_hierarchy *h = &l->h[i];
		const char *path = h->mount ? arena_printf(a, "%s%s%s", h->mount, *g->path ? "/" : "", g->path)
		                            : arena_printf(a, "%s:/%s", h->list, g->path);
		size_t n = g->n;

		if (!exists(path) || (!h->mount && h->v2))
			continue;
		*arena_push(a, &g->dirs, &n) =
			(struct cgroup_dir){.path = path, .mount = h->mount ? h->mount : "", .prepare = "", .v2 = h->v2};
		*arena_push(a, &g->lists, &g->n) = h->v2 ? "v2" : h->list;
	}
}

int cgroup_named(struct arena *a, const struct cgroup_layout *l, const char *text, struct cgroup_named *ret, struct nook_error *e)
{
	const char *colon = strchr(text, ':'), *path = colon ? colon + 1 : text;
	char *list = colon ? arena_strndup(a, text, (size_t)(colon - text)) : NULL;
	struct cgroup_named g = {0};
	size_t len;

	path += strspn(path, "/");
	for (len = strlen(path); len && path[len - 1] == '/'; len--)
		;
	g.path = arena_strndup(a, path, len);
	TRY(check_path(text, g.path, e));
	if (!list)
		add_existing(a, l, &g);
	else if (text_is(list, "*"))
		add_all(a, l, &g);
	for (char *name = list; name && *name && !text_is(list, "*");) {
		char *end = strchrnul(name, ',');
		bool more = *end;

		*end = 0;
		TRY(add_by_name(a, l, &g, name, e));
		name = end + more;
	}
	if (!g.n)
		return list && *list ? err_why(e, STEP_CGROUP, text, EOPNOTSUPP, "no hierarchy is mounted")
		                     : err_why(e, STEP_CGROUP, text, ENOENT, "no hierarchy has a group of that name");
	*ret = g;
	return 0;
}

int cgroup_named_find(const struct cgroup_layout *l, const struct cgroup_named *g, const char *file)
{
	int c = cgroup_controller_find(file, strcspn(file, "."));
	int at = c >= 0 ? cgroup_layout_find(l, (enum cgroup_controller)c) : -1;

	for (size_t i = 0; i < g->n; i++) {
		const char *prefix = g->dirs[i].path;

		/* "cgroup.procs" and the like are in each: the first one speaks. */
		if (c < 0 || (at >= 0 && l->h[at].mount && text_is(l->h[at].mount, g->dirs[i].mount)))
			return (int)i;
		if (cgroup_unmounted_path(prefix)) {
			char *list = strndup(prefix, strcspn(prefix, ":"));
			bool found = list && (cgroup_controllers_in(list) & 1U << c);

			free(list);
			if (found)
				return (int)i;
		}
	}
	/* Pressure and cpu.stat of a v2 group whose controller lives on v1. */
	for (size_t i = 0; i < g->n; i++)
		if (g->dirs[i].v2)
			return (int)i;
	return -1;
}

const char *cgroup_other_name(const char *file)
{
	return limits_other_name(file);
}
