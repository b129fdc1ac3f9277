/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "box/bus.h"

#include "base/fd.h"
#include "base/spawn.h"
#include "base/text.h"
#include "box/box.h"
#include "box/helper.h"

#include <ctype.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>

enum { READY_MS = 10000 };

static const char program[] = "xdg-dbus-proxy", inside[] = "/run/nook-bus";

/* ---- rules ----------------------------------------------------------------------------------------------------------- */

/* "org.example.Name" or "org.example.*" */
static bool is_name(const char *name)
{
	bool dot = false;
	size_t i = 0;

	for (; name[i]; i++) {
		if (name[i] == '*' && i && name[i - 1] == '.' && !name[i + 1])
			return dot;
		if (!isalnum((unsigned char)name[i]) && !strchr("._-", name[i]))
			return false;
		dot = dot || name[i] == '.';
	}
	return dot && i < BUS_NAME_SIZE && name[0] != '.' && name[i - 1] != '.';
}

int box_add_dbus(struct nook_box *b, const char *value, struct nook_error *e)
{
	if (!is_name(value))
		return err_why(e, STEP_OPTION, value, EINVAL, "it is a name on the session bus, as org.example.Name, or org.example.*");
	if (b->n_bus_names == BUS_NAMES_MAX)
		return err_why(e, STEP_OPTION, value, E2BIG, "a box is given at most 16 names on the bus");
	*arena_push(b->arena, &b->bus_names, &b->n_bus_names) = value;
	return 0;
}

static int address_of(char *ret, struct nook_error *e)
{
	const char *address = getenv("DBUS_SESSION_BUS_ADDRESS");
	char path[64];

	(void)snprintf(path, sizeof(path), "/run/user/%u/bus", geteuid());
	if (address && *address && strlen(address) < BUS_NAME_SIZE)
		(void)snprintf(ret, BUS_NAME_SIZE, "%s", address);
	else if (access(path, F_OK) == 0)
		(void)snprintf(ret, BUS_NAME_SIZE, "unix:path=%s", path);
	else
		return err_why(e, STEP_OPTION, "dbus", ENOENT, "there is no session bus: DBUS_SESSION_BUS_ADDRESS is not set");
	return 0;
}

int box_bus_spec(const struct nook_box *b, struct arena *a, struct spec *s, struct box_bus *ret, struct nook_error *e)
{
	const char *runtime = secure_getenv("XDG_RUNTIME_DIR");
	char path[PATH_MAX];
	uint64_t id;

	ret->n_names = 0;
	if (!b->n_bus_names)
		return 0;
	if (spawn_find(program, path, sizeof(path)) < 0)
		return err_why(e, STEP_SPAWN, program, ENOENT, "a bus of a few names takes this program, which is not installed");
	TRY(address_of(ret->address, e));
	if (getrandom(&id, sizeof(id), 0) != sizeof(id))
		return err_sys(e, STEP_SPAWN, "random");
	if (!runtime || runtime[0] != '/' || strlen(runtime) > 60)
		runtime = "/tmp";
	(void)snprintf(ret->dir, sizeof(ret->dir), "%s/nook-bus-%016llx", runtime, (unsigned long long)id);
	for (; ret->n_names < b->n_bus_names; ret->n_names++)
		(void)snprintf(ret->names[ret->n_names], BUS_NAME_SIZE, "%s", b->bus_names[ret->n_names]);
	return spec_mount_add(s, inside, "bind", arena_printf(a, "%s/bus", ret->dir), "bind,ro,nosuid,nodev", NULL, e);
}

const char *box_bus_env(const struct nook_box *b)
{
	return b->n_bus_names ? "DBUS_SESSION_BUS_ADDRESS=unix:path=/run/nook-bus" : NULL;
}

/* ---- the program ----------------------------------------------------------------------------------------------------- */

int box_bus_start(const struct box_bus *bus, struct box_helper *ret, int *ret_pipe, struct nook_error *e)
{
	AUTO(arena_free) struct arena *a = arena_new();
	const char **argv = NULL;
	size_t n = 0;
	int pipes[2], r;

	if (mkdir(bus->dir, 0700) < 0)
		return err_sys(e, STEP_SPAWN, bus->dir);
	if (pipe2(pipes, O_CLOEXEC) < 0)
		return err_sys(e, STEP_SPAWN, program);
	auto_close int ours = pipes[0], theirs = pipes[1];

	*arena_push(a, &argv, &n) = program;
	*arena_push(a, &argv, &n) = "--fd=0";
	*arena_push(a, &argv, &n) = bus->address;
	*arena_push(a, &argv, &n) = arena_printf(a, "%s/bus", bus->dir);
	*arena_push(a, &argv, &n) = "--filter";
	for (uint32_t i = 0; i < bus->n_names && i < BUS_NAMES_MAX; i++)
		*arena_push(a, &argv, &n) = arena_printf(a, "--talk=%s", bus->names[i]);
	(void)arena_push(a, &argv, &n);
	TRY(box_helper_start(&(struct spawn_start){.argv = argv, .stdin_fd = theirs, .stderr_fd = -1}, STEP_SPAWN, ret, e));
	close_fd(&theirs);
	r = box_helper_wait_byte(ret, ours, READY_MS);
	if (r == -EPIPE)
		return err_why(e, STEP_SPAWN, program, EPIPE, "it could not reach the bus");
	if (r < 0)
		return err_num(e, STEP_SPAWN, program, r);
	*ret_pipe = take_fd(&ours);
	return 0;
}

void box_bus_hide(const struct box_bus *bus)
{
	char path[BUS_PATH_SIZE + 8];

	if (!bus->n_names)
		return;
	(void)snprintf(path, sizeof(path), "%s/bus", bus->dir);
	(void)unlink(path);
	(void)rmdir(bus->dir);
}
