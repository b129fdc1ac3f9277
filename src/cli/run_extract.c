/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cli/run_extract.h"

#include "base/spawn.h"

#include <stdlib.h>
#include <string.h>

#define OUT "/nook-out"
#define IMAGE "/nook-image"

enum { WORDS_MAX = 8, NO_LIMIT_MS = -1 };

static const struct {
	enum fsimage_type type;
	const char *package;
	const char *argv[WORDS_MAX];
	int good; /* exit status beside 0: all is there, but for owners and nodes */
} tools[] = {
	{FSIMAGE_SQUASHFS, "squashfs-tools", {"unsquashfs", "-q", "-n", "-f", "-d", OUT, IMAGE}, 2},
	{FSIMAGE_EROFS, "erofs-utils", {"fsck.erofs", ("--extract=" OUT), "--overwrite", "--no-preserve-owner", IMAGE}, 0},
};

static int find_tool(enum fsimage_type type)
{
	for (size_t i = 0; i < sizeof(tools) / sizeof(tools[0]); i++)
		if (tools[i].type == type)
			return (int)i;
	return -1;
}

bool run_extract_knows(enum fsimage_type type)
{
	return find_tool(type) >= 0;
}

/* A container of one id, the caller's, without a network, that can write to TARGET alone. */
static const char *const *command_line(struct cli *c, const char *image, const char *target, const char *const *tool)
{
	struct arena *a = c->arena;
	const char *const own[] = {
		"/proc/self/exe", arena_printf(a, "--root=%s", c->root), arena_printf(a, "--run=%s", c->run), "--quiet", "run", "--rm",
		"--no-tty", "--net=none", arena_printf(a, "--uidmap=0:%u:1", geteuid()), arena_printf(a, "--gidmap=0:%u:1", getegid()),
		"--tmpfs=/home", arena_printf(a, "--volume=%s:" OUT, target), arena_printf(a, "--volume=%s:" IMAGE ":ro", image), "host:", "--",
	};
	const char **argv = NULL;
	size_t n = 0;

	for (size_t i = 0; i < sizeof(own) / sizeof(own[0]); i++)
		*arena_push(a, &argv, &n) = own[i];
	for (; *tool; tool++)
		*arena_push(a, &argv, &n) = *tool;
	(void)arena_push(a, &argv, &n);
	return argv;
}

int run_extract(struct cli *c, const char *image, enum fsimage_type type, const char *target, struct nook_error *e)
{
	const int tool = find_tool(type);
	char *real = realpath(image, NULL);
	const char *path = real ? arena_strdup(c->arena, real) : image;
	AUTO_VALUE(buf_done) struct buf said = {0};
	char found[256];
	int status;

	free(real);
	if (strchr(path, ':') || strchr(target, ':'))
		return err_why(e, STEP_SOURCE, path, EINVAL, "it or nook's own directory has a colon in its name");
	if (spawn_find(tools[tool].argv[0], found, sizeof(found)) < 0)
		return err_fmt(e, STEP_SPAWN, tools[tool].argv[0], ENOENT,
			"is not installed: it unpacks %s for who cannot mount it, and comes with the package %s", fsimage_names[type], tools[tool].package);
	status = TRY(spawn_run(&(struct spawn){.argv = command_line(c, path, target, tools[tool].argv), .timeout_ms = NO_LIMIT_MS}, &said, e));
	if (status != 0 && status != tools[tool].good)
		return err_fmt(e, STEP_UNPACK, image, EIO, "%s: %s", tools[tool].argv[0], buf_last_line(&said));
	return 0;
}
