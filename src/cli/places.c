/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * root has /var/lib/nook and /run/nook.  Everybody else has the XDG directories; without XDG_RUNTIME_DIR /run/user/UID,
 * and where that is missing too (cron, a bare container) a directory of the user's own below ROOT.  Never a name in
 * /tmp, which somebody else may have taken first.
 */
#include "cli/places.h"

#include "sys/userdb.h"

#include <fcntl.h>
#include <sys/stat.h>

/* The environment's value, if it is an absolute path (the XDG specification says to ignore others). */
static const char *env_path(const char *name)
{
	const char *value = secure_getenv(name);

	return value && value[0] == '/' ? value : NULL;
}

/* The home that /etc/passwd gives UID, or NULL. */
static const char *passwd_home(struct arena *a, uid_t uid)
{
	auto_close int slash = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	struct userdb_user user;

	if (slash < 0 || userdb_by_uid(slash, uid, &user, NULL) != 0)
		return NULL;
	return arena_strdup(a, user.home);
}

static int user_root(struct cli *c, uid_t uid, struct nook_error *e)
{
	const char *data = env_path("XDG_DATA_HOME"), *home;

	if (data) {
		c->root = arena_printf(c->arena, "%s/nook", data);
		return 0;
	}
	home = env_path("HOME");
	if (!home)
		home = passwd_home(c->arena, uid);
	if (!home)
		return err_fmt(e, STEP_STATE, "HOME", ENOENT, "uid %u has no home directory; set HOME or NOOK_ROOT", uid);
	c->root = arena_printf(c->arena, "%s/.local/share/nook", home);
	return 0;
}

/* After su(1) XDG_RUNTIME_DIR may still be somebody else's. */
static bool is_owned_dir(const char *path, uid_t uid)
{
	struct stat st;

	return stat(path, &st) == 0 && S_ISDIR(st.st_mode) && st.st_uid == uid;
}

static void user_run(struct cli *c, uid_t uid)
{
	const char *given = env_path("XDG_RUNTIME_DIR");

	if (!given || !is_owned_dir(given, uid))
		given = arena_printf(c->arena, "/run/user/%u", uid);
	if (is_owned_dir(given, uid))
		c->run = arena_printf(c->arena, "%s/nook", given);
	else
		c->run = arena_printf(c->arena, "%s/run", c->root);
}

int places_default(struct cli *c, struct nook_error *e)
{
	uid_t uid;

	if (c->root && c->run)
		return 0;
	uid = geteuid();
	if (!c->root && uid == 0)
		c->root = "/var/lib/nook";
	if (!c->run && uid == 0)
		c->run = "/run/nook";
	if (!c->root)
		TRY(user_root(c, uid, e));
	if (!c->run)
		user_run(c, uid);
	return 0;
}
