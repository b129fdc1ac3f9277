/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* nook run container:NAME: the root that an ended container has left. */
#include "cli/run_container.h"

#include "base/text.h"
#include "cli/run_options.h"
#include "runtime/copied.h"
#include "runtime/data.h"
#include "runtime/plan_file.h"
#include "runtime/rootfs.h"

int run_container_find(struct cli *c, struct store_run *r, const char *name, struct run_container *ret, struct nook_error *e)
{
	struct run_container found = {0};
	struct nook_error absent = NOOK_ERROR_INIT;

	TRY(container_load(r, name, c->arena, &found.container, e));
	if (container_status(&found.container) != CONTAINER_STOPPED)
		return err_why(e, STEP_CONTAINER, name, EBUSY, "it has not ended: nook exec runs a command in it");
	TRY(plan_load(r, found.container.id, c->arena, &found.plan, e));
	found.locks = arena_new_n(c->arena, int, found.container.n_kept + 1);
	for (size_t i = 0; i < found.container.n_kept; i++) {
		int lock = data_lock(found.container.kept[i], &absent);

		if (lock >= 0) {
			found.locks[found.n_locks++] = lock;
		} else if (lock != -ENOENT) {
			run_container_done(&found);
			*e = absent;
			return lock;
		}
	}
	*ret = found;
	return 0;
}

/* The files belong to ids that cannot be mapped to others: it gets these. */
static int root_copied(const struct run_container *from, struct spec *s, struct spec_root *root, struct nook_error *e)
{
	const char *how = container_annotation(&from->container, ANNOTATION_COPY);
	struct idrange range = {0};
	const bool is_mapped = TRY(copied_range(&from->container, from->plan, s->arena, &range, e));

	if (geteuid() == 0 && is_mapped != (s->ns[NS_USER].mode != NS_HOST))
		return err_why(e, STEP_OPTION, "--userns", EINVAL, "it has to be as it was when the container's files were copied");
	if (is_mapped) {
		s->uid_maps = range.uid_maps;
		s->n_uid_maps = range.n_uid_maps;
		s->gid_maps = range.gid_maps;
		s->n_gid_maps = range.n_gid_maps;
	}
	root->copied = true;
	spec_pair_set(s->arena, &s->annotations, &s->n_annotations, ANNOTATION_COPY, how);
	return 0;
}

int run_container_root(struct cli *c, const struct run_options *o, const struct run_container *from, struct spec *s, struct nook_error *e)
{
	struct spec_root root = {0};
	struct run_source source;

	if (o->overlay || o->storage)
		return err_why(e, STEP_OPTION, o->storage ? "--storage" : "--overlay", EINVAL, "the container has its layer");
	TRY(rootfs_of_plan(from->plan, c->arena, &root, e));
	if (root.kind == ROOT_OVERLAY && !root.upper && !root.upper_disk)
		return err_why(e, STEP_CONTAINER, from->container.id, ENODATA, "it has ended, and its changes with it: they were in memory");
	/* The marks of what was removed are other ones in a user namespace. */
	if (root.kind == ROOT_OVERLAY && rootfs_has_user_marks(from->plan) != (s->ns[NS_USER].mode != NS_HOST))
		return err_why(e, STEP_OPTION, "--userns", EINVAL, "it has to be as it was when the container's layer was made");
	if (text_is(from->container.source, "host:")) {
		TRY(run_source_parse("host:", &source, e));
		TRY(run_root(c, o, &source, s, e));
	}
	if (copied_is(&from->container))
		TRY(root_copied(from, s, &root, e));
	root.readonly = o->read_only;
	root.host = s->root.host;
	s->root = root;
	return 0;
}

void run_container_done(struct run_container *from)
{
	for (size_t i = 0; i < from->n_locks; i++)
		close_fd(&from->locks[i]);
	from->n_locks = 0;
}
