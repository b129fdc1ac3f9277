/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cli/ns_pins.h"

#include "base/fd.h"
#include "runtime/container.h"
#include "sys/mountapi.h"

#include <sched.h>
#include <string.h>
#include <sys/stat.h>

int ns_pins_path(struct arena *a, const char *run, const char *name, const char **ret, struct nook_error *e)
{
	TRY(container_id_check(name, e));
	*ret = arena_printf(a, "%s/ns/%s", run, name);
	return 0;
}

int ns_pins_make(const char *path, const char *name, int flags, struct nook_error *e)
{
	auto_free char *parent = xstrdup(path);
	int r = 0;

	*strrchr(parent, '/') = 0;
	auto_close int dir = TRY(dir_make(parent, 0700, e));

	if (mkdirat(dir, name, 0700) < 0) {
		if (errno == EEXIST)
			return err_why(e, STEP_NAMESPACE, name, EEXIST, "there are kept namespaces of this name; see nook ns rm");
		return err_sys(e, STEP_NAMESPACE, path);
	}
	if (flags & CLONE_NEWNS) {
		if (mount(path, path, NULL, MS_BIND, NULL) < 0 || mount(NULL, path, NULL, MS_PRIVATE, NULL) < 0) {
			r = err_sys(e, STEP_MOUNT, path);
			(void)ns_pins_remove(path, name, NULL);
		}
	}
	return r;
}

int ns_pins_add(const char *path, const struct ns_type *type, int fd, struct nook_error *e)
{
	auto_free char *target = xasprintf("%s/%s", path, type->name);
	auto_close int file = open(target, O_RDONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0400);
	auto_close int pin = file < 0 ? -errno : mount_copy(fd, 0);
	int r = pin < 0 ? pin : mount_attach(pin, file);

	return r < 0 ? err_num(e, STEP_MOUNT, target, r) : 0;
}

static int let_go(const char *path, struct nook_error *e)
{
	/* EINVAL: not a mount point; ENOENT: nothing there; EPERM: no right to unmount anything, so that what is a mount
	 * point will refuse to be removed. */
	if (umount2(path, MNT_DETACH | UMOUNT_NOFOLLOW) < 0 && errno != EINVAL && errno != ENOENT && errno != EPERM)
		return err_sys(e, STEP_MOUNT, path);
	return 0;
}

int ns_pins_remove(const char *path, const char *name, struct nook_error *e)
{
	for (size_t i = 0; i < NS_TYPES; i++) {
		auto_free char *pin = xasprintf("%s/%s", path, ns_types[i].name);

		TRY(let_go(pin, e));
	}
	TRY(let_go(path, e));
	for (size_t i = 0; i < NS_TYPES; i++) {
		auto_free char *pin = xasprintf("%s/%s", path, ns_types[i].name);

		if (unlink(pin) < 0 && errno != ENOENT)
			return err_sys(e, STEP_NAMESPACE, pin);
	}
	if (rmdir(path) == 0)
		return 0;
	return errno == ENOENT ? err_why(e, STEP_NAMESPACE, name, ENOENT, "there are no kept namespaces of this name")
	                       : err_sys(e, STEP_NAMESPACE, path);
}
