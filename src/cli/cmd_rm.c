/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "command/command.h"
#include "runtime/container.h"
#include "runtime/volume.h"

#include <stdio.h>

struct options {
	bool force, all, volumes;
};

#define AT(member) offsetof(struct options, member)
static const struct opt options_table[] = {
	{'a', "all", NULL, OPT_FLAG, AT(all), "every container that has ended; with --force every container"},
	{'v', "volumes", NULL, OPT_FLAG, AT(volumes), "and its volumes that nobody gave a name"},
	{'f', "force", NULL, OPT_FLAG, AT(force), "kill what runs; one that does not exist is fine"},
	{0},
};

static int remove_one(struct cli *c, struct store_run *r, const struct container *one, const struct options *o, struct nook_error *e)
{
	TRY(container_remove(r, one, o->force ? REMOVE_FORCE : REMOVE_STOPPED, e));
	return o->volumes || one->auto_remove ? volume_drop_anonymous(r, c->root, one, e) : 0;
}

static int remove_named(struct cli *cli, struct store_run *r, const char *name, const struct options *o, struct nook_error *e)
{
	struct container c;
	int n = container_load(r, name, cli->arena, &c, e);

	if (n == -ENOENT && o->force)
		return 0;
	TRY(n);
	TRY(remove_one(cli, r, &c, o, e));
	(void)puts(name);
	return 0;
}

static int remove_all(struct cli *c, struct store_run *r, const struct options *o, struct nook_error *e)
{
	struct container *list = NULL;
	size_t n = 0;
	int status = 0;

	TRY(container_list(r, c->arena, &list, &n, e));
	for (size_t i = 0; i < n; i++) {
		struct nook_error one = NOOK_ERROR_INIT;

		if (!o->force && container_status(&list[i]) != CONTAINER_STOPPED)
			continue;
		if (remove_one(c, r, &list[i], o, &one) < 0) {
			cli_error(c, &one);
			status = 1;
		} else {
			(void)puts(list[i].id);
		}
	}
	return status;
}

static int run(struct cli *c, void *options, int argc, char **argv, struct nook_error *e)
{
	const struct options *o = options;
	AUTO(runtime_close) struct store_run *r = NULL;
	int status = 0;

	if (!argc && !o->all)
		return err_why(e, STEP_COMMAND, "rm", EINVAL, "which container? name it, or say --all");
	if (argc && o->all)
		return err_why(e, STEP_OPTION, "--all", EINVAL, "it takes no names");
	TRY(runtime_open(c->run, c->arena, &r, e));
	if (o->all)
		return remove_all(c, r, o, e);
	for (int i = 0; i < argc; i++) {
		struct nook_error one = NOOK_ERROR_INIT;

		if (remove_named(c, r, argv[i], o, &one) < 0) {
			cli_error(c, &one);
			status = 1;
		}
	}
	return status;
}

const struct command cmd_rm = {
	.name = "rm",
	.usage = "[OPTIONS] CONTAINER...",
	.summary = "remove containers with all that belongs to them",
	.options = options_table,
	.options_size = sizeof(struct options),
	.max_args = -1,
	.run = run,
	.examples = "nook rm web\nnook rm -f web\nnook rm --all\n",
};
