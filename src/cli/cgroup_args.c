/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cli/cgroup_args.h"

#include <fcntl.h>

static void merge(struct arena *a, struct cgroup_named *into, const struct cgroup_named *more)
{
	for (size_t i = 0; i < more->n; i++) {
		size_t n = into->n;

		*arena_push(a, &into->dirs, &n) = more->dirs[i];
		*arena_push(a, &into->lists, &into->n) = more->lists[i];
	}
	into->path = more->path;
}

int cgroup_args_read(struct arena *a, const struct opt_list *groups, int argc, char **argv, struct cgroup_args *ret,
                     struct nook_error *e)
{
	struct cgroup_args g = {.argc = argc, .argv = argv};

	TRY(cgroup_layout_read(a, AT_FDCWD, &g.layout, e));
	for (size_t i = 0; i < groups->n; i++) {
		struct cgroup_named one;

		TRY(cgroup_named(a, &g.layout, groups->items[i], &one, e));
		merge(a, &g.group, &one);
	}
	if (!groups->n) {
		if (!argc)
			return err_why(e, STEP_OPTION, "GROUP", EINVAL, "name a group, such as cpu,memory:lab");
		TRY(cgroup_named(a, &g.layout, argv[0], &g.group, e));
		g.argc--;
		g.argv++;
	}
	*ret = g;
	return 0;
}

int cgroup_args_open(const struct cgroup_args *g, size_t i, struct nook_error *e)
{
	int fd = cgroup_dir_open(g->group.dirs[i].path, e);

	if (fd == -ENOENT && *g->group.path)
		return err_fmt(e, STEP_CGROUP, g->group.dirs[i].path, ENOENT, "no such group; nook cgroup create %s:%s makes it",
		               g->group.lists[i], g->group.path);
	return fd;
}
