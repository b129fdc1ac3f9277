/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* pause and resume: the container's groups are frozen and thawed. */
#include "cgroup/cgroup.h"
#include "oci/commands.h"

enum { FREEZE_MS = 10000 };

static int load(struct oci *o, const char *id, struct container *c, struct cgroup *group, struct nook_error *e)
{
	AUTO(runtime_close) struct store_run *r = NULL;

	TRY(oci_store(o, &r, e));
	TRY(oci_load(o, r, id, c, e));
	container_cgroup(c, o->arena, group);
	if (!group->n)
		return err_why(e, STEP_FREEZE, id, EINVAL, "the container has no cgroup");
	return 0;
}

static int pause_run(struct oci *o, void *options, int argc, char **argv, struct nook_error *e)
{
	struct container c;
	struct cgroup group;
	int n;

	TRY(load(o, argv[0], &c, &group, e));
	switch (container_status(&c)) {
	case CONTAINER_RUNNING:
	case CONTAINER_CREATED:
		break;
	case CONTAINER_PAUSED:
		return err_why(e, STEP_FREEZE, argv[0], EINVAL, "container is paused already");
	default:
		return err_why(e, STEP_FREEZE, argv[0], EINVAL, "container not running");
	}
	n = cgroup_freeze(&group, FREEZE_MS, e);
	if (n < 0)
		(void)cgroup_thaw(&group, NULL);
	return n;
}

static int resume_run(struct oci *o, void *options, int argc, char **argv, struct nook_error *e)
{
	struct container c;
	struct cgroup group;

	TRY(load(o, argv[0], &c, &group, e));
	if (container_status(&c) != CONTAINER_PAUSED)
		return err_why(e, STEP_FREEZE, argv[0], EINVAL, "container not paused");
	return cgroup_thaw(&group, e);
}

const struct oci_command cmd_pause = {
	.name = "pause",
	.usage = "ID",
	.summary = "freeze all processes of a container",
	.min_args = 1,
	.max_args = 1,
	.run = pause_run,
};

const struct oci_command cmd_resume = {
	.name = "resume",
	.usage = "ID",
	.summary = "let a paused container go on",
	.min_args = 1,
	.max_args = 1,
	.run = resume_run,
};
