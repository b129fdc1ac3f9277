/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "bundle/config.h"
#include "oci/commands.h"
#include "oci/hooks.h"
#include "oci/select.h"
#include "oci/start.h"
#include "oci/state.h"
#include "runtime/store.h"

#include <stdio.h>

struct options {
	bool force, regex;
};

static const struct opt table[] = {
	{'f', "force", NULL, OPT_FLAG, offsetof(struct options, force), "kill it first if it runs; fine if there is none"},
	{'r', "regex", NULL, OPT_FLAG, offsetof(struct options, regex), "ID is a regular expression"},
	{0},
};

/* Hooks of the end, before their file goes with the directory.  None is fine, and so is a file that nobody can read. */
static void load_hooks(const struct store_run *r, const char *id, struct spec *hooks)
{
	char name[STORE_PATH_MAX + 16];

	(void)snprintf(name, sizeof(name), STORE_CONTAINERS "/%s/" OCI_HOOKS_FILE, id);
	if (faccessat(r->fd, name, F_OK, 0) == 0)
		(void)config_load_hooks(r->fd, name, hooks, NULL);
}

static int delete_one(struct oci *o, struct store_run *r, const char *id, bool force, struct nook_error *e)
{
	AUTO(spec_free) struct spec *hooks = spec_new();
	enum remove_mode mode = force ? REMOVE_FORCE : REMOVE_STOPPED;
	enum container_status status;
	struct container c;
	int n = oci_load(o, r, id, &c, e);

	if (n == -ENOENT && force)
		return 0;
	if (n < 0)
		return n;
	status = container_status(&c);
	/* What has not run anything yet may go without force. */
	if (status == CONTAINER_CREATED)
		mode = REMOVE_FORCE;
	else if (status != CONTAINER_STOPPED && !force)
		return err_fmt(e, STEP_CONTAINER, id, EBUSY, "cannot delete a container that is not stopped: it is %s",
			container_status_names[status]);
	load_hooks(r, id, hooks);
	TRY(container_remove(r, &c, mode, e));
	oci_hooks_run_all(o, &c, hooks->hooks[HOOK_POSTSTOP], hooks->n_hooks[HOOK_POSTSTOP],
		oci_hook_state(o->arena, &c, CONTAINER_STOPPED, 0));
	return 0;
}

static int run(struct oci *o, void *options, int argc, char **argv, struct nook_error *e)
{
	const struct options *opts = options;
	AUTO(runtime_close) struct store_run *r = NULL;
	const char **ids;
	size_t n;

	TRY(oci_store(o, &r, e));
	TRY(oci_select(o, r, argv[0], opts->regex, &ids, &n, e));
	for (size_t i = 0; i < n; i++)
		TRY(delete_one(o, r, ids[i], opts->force, e));
	return 0;
}

const struct oci_command cmd_delete = {
	.name = "delete",
	.usage = "[OPTIONS] ID",
	.summary = "remove what is left of a container",
	.options = table,
	.options_size = sizeof(struct options),
	.min_args = 1,
	.max_args = 1,
	.run = run,
};
