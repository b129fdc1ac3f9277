/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The order is that of the mounts: the machine's directories, what every box has of its own, what rules show; then what is
 * hidden of all that.  Landlock is a second fence around the same.
 */
#include "box/view.h"

#include "base/path.h"
#include "base/text.h"
#include "box/box.h"
#include "box/secrets.h"
#include "spec/spec_defaults.h"
#include "sys/openat2.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>

static const uint64_t root_bytes = UINT64_C(16) << 20, tmp_bytes = UINT64_C(1) << 30, run_bytes = UINT64_C(64) << 20,
		      shm_bytes = UINT64_C(64) << 20;

struct view {
	const struct nook_box *box;
	struct arena *arena;
	struct spec *spec;
	const char *home;
};

const char *const box_view_dirs[] = {"/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32", "/etc", "/opt", "/nix", "/gnu", NULL};

static void fence_add(struct view *v, const char *path, bool write)
{
	*arena_push(v->arena, &v->spec->landlock.rules, &v->spec->landlock.n_rules) = (struct spec_landlock_rule){path, write};
}

static int make_dirs(struct view *v, struct nook_error *e)
{
	for (size_t i = 0; box_view_dirs[i]; i++) {
		struct stat st;

		if (lstat(box_view_dirs[i], &st) < 0) {
			if (errno == ENOENT)
				continue;
			return err_sys(e, STEP_SOURCE, box_view_dirs[i]);
		}
		if (S_ISLNK(st.st_mode))
			TRY(spec_mount_add(v->spec, box_view_dirs[i], "bind", box_view_dirs[i], "bind,copy-symlink", NULL, e));
		else if (S_ISDIR(st.st_mode))
			TRY(spec_mount_add(v->spec, box_view_dirs[i], "bind", box_view_dirs[i], "rbind,rro,rnosuid,rnodev", NULL, e));
	}
	return 0;
}

static int make_tmpfs(struct view *v, const char *target, const char *mode, uint64_t bytes, struct nook_error *e)
{
	const char *words = arena_printf(v->arena, "nosuid,nodev,mode=%s,uid=%u,gid=%u", mode, v->spec->process.user.uid,
		v->spec->process.user.gid);

	fence_add(v, target, true);
	return spec_mount_add(v->spec, target, "tmpfs", "tmpfs", spec_tmpfs_options(v->arena, words, bytes), NULL, e);
}

static int add_standard(struct view *v, const char *target, const char *type, const char *options, struct nook_error *e)
{
	struct spec_mount *mount = NULL;

	TRY(spec_mount_add(v->spec, target, type, type, options, &mount, e));
	mount->standard = true;
	return 0;
}

static int make_private(struct view *v, struct nook_error *e)
{
	if (v->box->proc != BOX_PROC_NONE)
		TRY(add_standard(v, "/proc", "proc", v->box->proc == BOX_PROC_MIN ? "nosuid,nodev,noexec,subset=pid" : "nosuid,nodev,noexec", e));
	TRY(add_standard(v, "/dev", "tmpfs", "nosuid,noexec,mode=755,size=64k,nr_inodes=64", e));
	TRY(add_standard(v, "/dev/pts", "devpts", "nosuid,noexec,newinstance,ptmxmode=0666,mode=0620,max=64", e));
	TRY(add_standard(v, "/dev/shm", "tmpfs", spec_tmpfs_options(v->arena, "nosuid,nodev,noexec,mode=1777", shm_bytes), e));
	v->spec->default_devices = true;
	if (v->box->proc != BOX_PROC_NONE)
		fence_add(v, "/proc", true);
	fence_add(v, "/dev", true);
	TRY(make_tmpfs(v, "/tmp", "1777", tmp_bytes, e));
	TRY(make_tmpfs(v, "/run", "0755", run_bytes, e));
	if (!v->box->bare && !v->box->root)
		TRY(make_tmpfs(v, "/var/tmp", "1777", tmp_bytes, e));
	return make_tmpfs(v, v->home, "0700", tmp_bytes, e);
}

const char *box_home(struct arena *a)
{
	const char *home = getenv("HOME");
	static const char *const taken[] = {"/usr", "/bin", "/sbin", "/lib", "/etc", "/opt", "/nix", "/gnu", "/proc", "/sys", "/dev", "/tmp", "/run", "/var/tmp"};

	if (!home || home[0] != '/' || !home[strspn(home, "/")] || strstr(home, "/../") || strlen(home) > 1024)
		return "/home";
	for (size_t i = 0; i < sizeof(taken) / sizeof(taken[0]); i++)
		if (path_below(home, taken[i]))
			return "/home";
	return arena_strdup(a, home);
}

/* Is PATH in what the box may write? */
static bool is_writable(const struct nook_box *b, const char *path)
{
	for (size_t i = 0; i < b->n_paths; i++) {
		const struct box_path *p = &b->paths[i];

		if ((p->kind == BOX_PATH_RW || p->kind == BOX_PATH_DEV) && path_below(path, p->source))
			return true;
	}
	return false;
}

static int make_overlay(struct view *v, const struct box_path *p, struct nook_error *e)
{
	struct spec_layers *layers = arena_new_of(v->arena, struct spec_layers);
	const char **lowers = arena_new_n(v->arena, const char *, 2);
	struct spec_mount *mount = NULL;

	/* What is brought back is what stands in there. */
	if (p->keep && is_writable(v->box, p->keep))
		return err_why(e, STEP_OPTION, p->keep, EINVAL, "the box could write to where its changes are kept");
	lowers[0] = p->source;
	*layers = (struct spec_layers){.lowers = lowers, .keep = p->keep, .original = p->source};
	TRY(spec_mount_add(v->spec, p->target, "overlay", p->source, "nosuid,nodev", &mount, e));
	mount->layers = layers;
	return 0;
}

/* In a directory that a box may write, an earlier run may have planted a link to anywhere: what lies below it is taken only
 * when there is none on the way. */
static int check_planted(const struct nook_box *b, const struct box_path *p, struct nook_error *e)
{
	for (size_t i = 0; i < b->n_paths; i++) {
		const struct box_path *above = &b->paths[i];
		const char *rest = above->kind == BOX_PATH_RW ? path_below(p->source, above->source) : NULL;
		auto_close int dir = -EBADF;
		int fd;

		if (!rest || !*rest)
			continue;
		dir = open(above->source, O_PATH | O_DIRECTORY | O_CLOEXEC);
		fd = dir < 0 ? -errno : openat2_raw(dir, rest, O_PATH, 0, RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS);
		if (fd == -ELOOP)
			return err_fmt(e, STEP_SOURCE, p->source, ELOOP, "a link stands on the way in %s, which the box may write: give the path it leads to",
				above->source);
		if (fd >= 0)
			(void)close(fd);
	}
	return 0;
}

static int make_path(struct view *v, const struct box_path *p, struct nook_error *e)
{
	static const char *const words[] = {
		[BOX_PATH_RO] = "rbind,rro,rnosuid,rnodev",
		[BOX_PATH_RW] = "rbind,rnosuid,rnodev",
		[BOX_PATH_DEV] = "rbind,rnosuid,dev",
	};
	struct stat st;

	if (p->kind == BOX_PATH_TMP)
		return make_tmpfs(v, p->target, "0755", p->bytes ? p->bytes : tmp_bytes, e);
	if (stat(p->source, &st) < 0) {
		if (errno == ENOENT && p->if_exists)
			return 0;
		return err_sys(e, STEP_SOURCE, p->source);
	}
	TRY(check_planted(v->box, p, e));
	if (p->socket && !S_ISSOCK(st.st_mode))
		return err_why(e, STEP_SOURCE, p->source, ENOTSOCK, "it is not a socket");
	fence_add(v, p->target, p->kind != BOX_PATH_RO);
	if (p->kind == BOX_PATH_OVERLAY)
		return make_overlay(v, p, e);
	return spec_mount_add(v->spec, p->target, "bind", p->source, words[p->kind], NULL, e);
}

static size_t depth(const char *path)
{
	size_t n = 0;

	for (; *path; path++)
		n += *path == '/';
	return n;
}

/* Mounts of the rules, the upper directories first, so that the order of rules does not matter. */
static int make_paths(struct view *v, struct nook_error *e)
{
	const struct nook_box *b = v->box;
	size_t deepest = 0;

	for (size_t i = 0; i < b->n_paths; i++)
		if (depth(b->paths[i].target) > deepest)
			deepest = depth(b->paths[i].target);
	for (size_t level = 1; level <= deepest; level++) {
		for (size_t i = 0; i < b->n_paths; i++) {
			const struct box_path *p = &b->paths[i];
			int r;

			if (p->kind >= BOX_PATH_HIDE || depth(p->target) != level)
				continue;
			r = make_path(v, p, e);
			if (r < 0) {
				if (e)
					e->rule = p->rule;
				return r;
			}
		}
	}
	return 0;
}

/* What the defaults mask of /proc, the secrets of /etc, and what rules hide. */
static int make_masks(struct view *v, struct nook_error *e)
{
	const char **list = NULL;
	size_t n = 0;

	for (const char *const *p = v->spec->masked; p && *p; p++)
		if (text_after(*p, "/proc/"))
			*arena_push(v->arena, &list, &n) = *p;
	for (size_t i = 0; !v->box->bare && !v->box->root && secrets_system[i]; i++)
		*arena_push(v->arena, &list, &n) = secrets_system[i];
	for (size_t i = 0; i < v->box->n_paths; i++) {
		const struct box_path *p = &v->box->paths[i];

		if (p->kind == BOX_PATH_HIDE)
			*arena_push(v->arena, &list, &n) = p->target;
		else if (p->kind == BOX_PATH_GLOB)
			TRY(box_glob(v->box, p->target, v->arena, &list, &n, e));
	}
	(void)arena_push(v->arena, &list, &n);
	v->spec->masked = list;
	return 0;
}

static void make_files(struct view *v)
{
	for (size_t i = 0; i < v->box->n_files; i++) {
		const struct box_file *f = &v->box->files[i];

		*arena_push(v->arena, &v->spec->files, &v->spec->n_files) =
			(struct spec_file){f->target, f->data, f->size, BOX_PUT_DIR};
	}
}

static void make_fence(struct view *v)
{
	struct spec_landlock *l = &v->spec->landlock;

	fence_add(v, "/", false);
	l->optional = true;
	l->any_reason = v->box->best_effort & BOX_FEATURE_LANDLOCK;
}

int box_view(const struct nook_box *b, const char *home, struct arena *a, struct spec *s, struct nook_error *e)
{
	struct view v = {.box = b, .arena = a, .spec = s, .home = home};

	s->root.kind = b->root ? ROOT_DIR : ROOT_TMPFS;
	s->root.path = b->root;
	s->root.upper_bytes = root_bytes;
	s->root.readonly = true;
	if (!b->bare && !b->root)
		TRY(make_dirs(&v, e));
	TRY(make_private(&v, e));
	TRY(make_paths(&v, e));
	make_files(&v);
	make_fence(&v);
	return make_masks(&v, e);
}
