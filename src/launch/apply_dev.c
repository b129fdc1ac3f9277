/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* /dev: a tmpfs filled before it is attached (with the rights to make nodes), or nodes bound from the host (without). */
#include "launch/apply_mount.h"

#include "sys/inroot.h"
#include "sys/pty.h"

#include <fcntl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

static int node_make(int dev, const struct plan_node *n, struct nook_error *e)
{
	if (mknodat(dev, n->name, n->mode, makedev(n->major, n->minor)) < 0)
		return err_sys(e, STEP_DEVICE, n->name);
	if ((n->uid || n->gid) && fchownat(dev, n->name, n->uid, n->gid, AT_SYMLINK_NOFOLLOW) < 0)
		return err_sys(e, STEP_DEVICE, n->name);
	return 0;
}

int apply_dev_tree(struct walk *w, const struct step *s, struct nook_error *e)
{
	const struct plan_node *nodes = plan_at(w->plan, s->mount.nodes.at);
	const char *name = plan_at(w->plan, s->mount.dirs.at);
	mode_t before = umask(0);
	int dev = fs_make(w, s, "tmpfs", e);
	int r = dev < 0 ? dev : 0;

	for (uint32_t i = 0; r == 0 && i < s->mount.nodes.n; i++)
		r = node_make(dev, &nodes[i], e);
	for (uint32_t i = 0; r == 0 && i < s->mount.dirs.n; i++, name = plan_next(name))
		if (mkdirat(dev, name, 0755) < 0)
			r = err_sys(e, STEP_DEVICE, name);
	name = plan_at(w->plan, s->mount.links.at);
	for (uint32_t i = 0; r == 0 && i < s->mount.links.n; i += 2) {
		const char *text = plan_next(name);

		if (symlinkat(text, dev, name) < 0)
			r = err_sys(e, STEP_DEVICE, name);
		name = plan_next(text);
	}
	(void)umask(before);
	w->mask = before;
	if (r < 0) {
		if (dev >= 0)
			(void)close(dev);
		return r;
	}
	w->slots[s->slot] = dev;
	return 0;
}

int apply_device(struct walk *w, const struct step *s, struct nook_error *e)
{
	const char *target = walk_str(w, s->device.target), *source = walk_str(w, s->object);
	int mnt = walk_slot(w, s->slot);
	char last[NAME_MAX + 1];

	if (mnt >= 0 || s->flags & DEVICE_BIND) {
		int node = mnt >= 0 ? -EBADF : open_tree(AT_FDCWD, source, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
		struct stat st;

		if (mnt < 0 && node < 0)
			return err_sys(e, STEP_DEVICE, source);
		/* The host's node must be the device that was asked for. */
		if (s->device.type && (fstat(mnt >= 0 ? mnt : node, &st) < 0 || (st.st_mode & S_IFMT) != s->device.type ||
					st.st_rdev != makedev(s->device.major, s->device.minor)))
			return err_why(e, STEP_DEVICE, source, ENODEV, "the host's node is another device");
		/* The host's /dev may be shared. */
		TRY(set_attr(mnt >= 0 ? mnt : node, 0, 0, MS_PRIVATE, 0, source, e));
		int at = TRY(inroot_mkfile(w->root, target, 0644, e));

		return attach_to(mnt >= 0 ? mnt : node, at, STEP_DEVICE, target, e);
	}
	int parent = TRY(inroot_parent(w->root, target, 0755, last, sizeof(last), e));
	mode_t before = umask(0);
	int r = mknodat(parent, last, s->device.type | s->device.mode, makedev(s->device.major, s->device.minor));

	(void)umask(before);
	if (r < 0 && errno == EEXIST) {
		struct stat st;

		if (fstatat(parent, last, &st, AT_SYMLINK_NOFOLLOW) < 0 || (st.st_mode & S_IFMT) != s->device.type ||
			st.st_rdev != makedev(s->device.major, s->device.minor))
			return err_num(e, STEP_DEVICE, target, EEXIST);
	} else if (r < 0) {
		return err_sys(e, STEP_DEVICE, target);
	}
	if (fchownat(parent, last, s->device.uid, s->device.gid, AT_SYMLINK_NOFOLLOW) < 0)
		return err_sys(e, STEP_DEVICE, target);
	return 0;
}

int apply_symlink(struct walk *w, const struct step *s, struct nook_error *e)
{
	const char *target = walk_str(w, s->pair.key);
	char last[NAME_MAX + 1];
	int parent = TRY(inroot_parent(w->root, target, 0755, last, sizeof(last), e));

	if (symlinkat(walk_str(w, s->pair.value), parent, last) < 0 && errno != EEXIST)
		return err_sys(e, STEP_TARGET, target);
	return 0;
}

int apply_console(struct walk *w, const struct step *s, struct nook_error *e)
{
	auto_close int master = -EBADF;
	int r;

	/* In a container that runs already its devpts is found by name, and checked below. */
	if (w->pts < 0 && w->root < 0)
		w->pts = open("/dev/pts", O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (w->pts < 0)
		return err_why(e, STEP_CONSOLE, "/dev/pts", ENOENT, "a terminal needs a devpts mount");
	/* Through the descriptors of our own mount and of the master: no name in the container is looked up. */
	master = TRY(pty_open_master(w->pts, e));
	w->terminal = TRY(pty_open_slave(master, e));
	if (s->console.rows || s->console.columns)
		TRY(pty_set_size(master, s->console.rows, s->console.columns, e));
	if (s->console.uid && fchown(w->terminal, s->console.uid, (gid_t)-1) < 0)
		return err_sys(e, STEP_CONSOLE, "owner");
	if (s->console.bind_console) {
		auto_close int node = open_tree(w->terminal, "", AT_EMPTY_PATH | OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
		auto_close int at = -EBADF;

		if (node < 0)
			return err_sys(e, STEP_CONSOLE, "/dev/console");
		at = TRY(inroot_mkfile(w->root, "/dev/console", 0600, e));
		TRY(attach_to(node, at, STEP_CONSOLE, "/dev/console", e));
	}
	r = wire_send_fd(w->wire, WIRE_CONSOLE, master);
	return r < 0 ? err_num(e, STEP_CONSOLE, "/dev/pts", r) : 0;
}
