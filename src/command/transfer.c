/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "command/transfer.h"

#include "base/spawn.h"
#include "runtime/tar.h"

#include <limits.h>

/* The program with global options in front of the words. */
static int argument_list(const struct cli *c, const char *const *words, const char *const **ret, struct nook_error *e)
{
	char *program = arena_alloc(c->arena, PATH_MAX);
	const char **list = NULL;
	size_t n = 0;

	TRY(helper_find("nook-transfer", program, PATH_MAX, e));
	*arena_push(c->arena, &list, &n) = program;
	*arena_push(c->arena, &list, &n) = arena_printf(c->arena, "--root=%s", c->root);
	*arena_push(c->arena, &list, &n) = arena_printf(c->arena, "--run=%s", c->run);
	if (c->quiet)
		*arena_push(c->arena, &list, &n) = "--quiet";
	if (c->debug)
		*arena_push(c->arena, &list, &n) = "--debug";
	if (c->log_format == LOG_JSON)
		*arena_push(c->arena, &list, &n) = "--log-format=json";
	for (; *words; words++)
		*arena_push(c->arena, &list, &n) = *words;
	*ret = list;
	return 0;
}

int transfer_exec(const struct cli *c, const char *const *words, struct nook_error *e)
{
	const char *const *argv = NULL;

	TRY(argument_list(c, words, &argv, e));
	(void)execv(argv[0], (char *const *)argv);
	return err_sys(e, STEP_SPAWN, argv[0]);
}

int transfer_run(const struct cli *c, const char *const *words, int out, struct nook_error *e)
{
	const char *const *argv = NULL;

	TRY(argument_list(c, words, &argv, e));
	return spawn_run(&(struct spawn){.argv = argv, .envp = (const char *const *)environ, .timeout_ms = -1, .stdout_fd = out},
		NULL, e);
}
