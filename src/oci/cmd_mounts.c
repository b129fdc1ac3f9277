/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/text.h"
#include "bundle/bundle.h"
#include "bundle/config.h"
#include "launch/mounts.h"
#include "oci/commands.h"
#include "plan/build.h"

static int add(struct oci *o, const struct container *c, struct spec *s, int pidfd, struct nook_error *e)
{
	AUTO(plan_free) struct plan *plan = NULL;

	/* Relative sources are the bundle's, as in its own configuration. */
	TRY(bundle_settle_mounts(c->bundle, s, e));
	TRY(plan_build_mounts(o->arena, s, &plan, e));
	return mounts_add(plan, pidfd, e);
}

static int take_away(struct oci *o, const struct spec *s, int pidfd, struct nook_error *e)
{
	const char **targets = arena_new_n(o->arena, const char *, s->n_mounts + 1);

	for (size_t i = 0; i < s->n_mounts; i++)
		targets[i] = s->mounts[i].target[0] == '/' ? s->mounts[i].target : arena_printf(o->arena, "/%s", s->mounts[i].target);
	return mounts_remove(targets, s->n_mounts, pidfd, e);
}

static int run(struct oci *o, void *options, int argc, char **argv, struct nook_error *e)
{
	AUTO(runtime_close) struct store_run *r = NULL;
	AUTO(spec_free) struct spec *s = spec_new();
	bool adds = text_is(argv[0], "add");
	struct container c;

	if (!adds && !text_is(argv[0], "remove"))
		return err_fmt(e, STEP_OPTION, "mounts", EINVAL, "\"%.40s\" is neither add nor remove", argv[0]);
	TRY(oci_store(o, &r, e));
	TRY(oci_load(o, r, argv[1], &c, e));
	TRY(config_load_mounts(AT_FDCWD, argv[2], s, e));
	TRY(container_settle(r, &c, e));
	auto_close int pidfd = container_pidfd(&c, NULL);

	if (pidfd < 0)
		return err_why(e, STEP_CONTAINER, argv[1], ESRCH, "container not running");
	return adds ? add(o, &c, s, pidfd, e) : take_away(o, s, pidfd, e);
}

const struct oci_command cmd_mounts = {
	.name = "mounts",
	.usage = "add|remove ID FILE",
	.summary = "add mounts to a running container, or remove them: FILE has \"mounts\" as config.json does, or that list alone",
	.min_args = 3,
	.max_args = 3,
	.run = run,
};
