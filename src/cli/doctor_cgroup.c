/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cgroup/cgroup.h"
#include "cli/doctor.h"

#include <fcntl.h>
#include <sys/stat.h>

#define GROUP "cgroups"

static const char *names_of(struct arena *a, unsigned controllers)
{
	AUTO_VALUE(buf_done) struct buf names = {0};

	for (unsigned i = 0; i < CGROUP_CONTROLLERS; i++)
		if (controllers & (1U << i))
			buf_addf(&names, "%s%s", names.len ? " " : "", cgroup_names[i]);
	return arena_strdup(a, names.len ? buf_text(&names) : "none");
}

/* Makes a group and removes it again, where a container's would be: below our own group, else at the top. */
static int try_group(const struct cgroup_hierarchy *h)
{
	const char *const places[] = {h->self, h->mount};
	int r = -ENOENT;

	for (size_t i = 0; i < 2; i++) {
		auto_free char *path = places[i] ? xasprintf("%s/nook-doctor.%d", places[i], (int)getpid()) : NULL;

		if (!path)
			continue;
		if (mkdir(path, 0755) == 0)
			return rmdir(path) < 0 ? -errno : 0;
		r = -errno;
	}
	return r;
}

struct sums {
	unsigned v1, v2, on_demand; /* controllers, by where they are; on_demand: mounted nowhere */
	unsigned usable;            /* those whose groups we may make */
	int error;                  /* the last refusal */
};

static struct sums add_up(const struct cgroup_layout *l)
{
	struct sums s = {.on_demand = cgroup_layout_spare(l)};

	for (size_t i = 0; i < l->n; i++) {
		const struct cgroup_hierarchy *h = &l->h[i];
		int r;

		if (!h->controllers)
			continue;
		if (!h->mount) {
			s.on_demand |= h->controllers;
			continue;
		}
		if (h->v2)
			s.v2 |= h->controllers;
		else
			s.v1 |= h->controllers;
		r = try_group(h);
		if (r == 0)
			s.usable |= h->controllers;
		else
			s.error = r;
	}
	/* v2 has its own ways to do what these do. */
	if (s.v2)
		s.on_demand &= ~(1U << CGROUP_CPUACCT | 1U << CGROUP_DEVICES | 1U << CGROUP_FREEZER);
	if (geteuid() == 0)
		s.usable |= s.on_demand;
	return s;
}

void doctor_cgroups(struct doctor *d)
{
	/* What the options for limits want most. */
	const unsigned usual = 1U << CGROUP_CPU | 1U << CGROUP_CPUSET | 1U << CGROUP_MEMORY | 1U << CGROUP_PIDS | 1U << CGROUP_BLKIO;
	struct cgroup_layout *l = arena_new_of(d->arena, struct cgroup_layout);
	unsigned all, wanted;
	struct sums s;

	if (cgroup_layout_read(d->arena, AT_FDCWD, l, NULL) < 0 || !l->n) {
		doctor_add(d, GROUP, "layout", FINDING_LIMITED, "no cgroups are mounted: no limits",
		           "mount -t cgroup2 none /sys/fs/cgroup");
		return;
	}
	s = add_up(l);
	all = s.v1 | s.v2 | s.on_demand;
	doctor_add(d, GROUP, "layout", FINDING_OK, l->hybrid ? "hybrid: v1 controllers beside a v2 tree" : l->v2 >= 0 ? "v2" : "v1", NULL);
	if (s.v2)
		doctor_add(d, GROUP, "controllers, v2", FINDING_OK, names_of(d->arena, s.v2), NULL);
	if (s.v1)
		doctor_add(d, GROUP, "controllers, v1", FINDING_OK, names_of(d->arena, s.v1), NULL);
	if (s.on_demand)
		doctor_add(d, GROUP, "on demand, v1", FINDING_OK, names_of(d->arena, s.on_demand), NULL);
	if (usual & ~all)
		doctor_add(d, GROUP, "absent", FINDING_LIMITED, names_of(d->arena, usual & ~all),
		           "boot without cgroup_disable=, with cgroup_enable=memory, or a kernel that has them");
	wanted = usual & all;
	if ((s.usable & wanted) == wanted) {
		doctor_add(d, GROUP, "groups", FINDING_OK, "can be made for every usual limit", NULL);
	} else {
		struct nook_error e = NOOK_ERROR_INIT;
		const char *hint;

		(void)err_num(&e, STEP_CGROUP, "", s.error ? s.error : EACCES);
		hint = nook_error_hint(&e);
		doctor_add(d, GROUP, "groups", FINDING_LIMITED,
		           arena_printf(d->arena, "limits not enforceable: %s", names_of(d->arena, wanted & ~s.usable)),
		           hint ? hint : "let root delegate a group to this user");
	}
}
