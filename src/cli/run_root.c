/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* nook run: where the root file system comes from. */
#include "cli/run_options.h"

#include "base/fd.h"
#include "base/path.h"
#include "base/text.h"
#include "spec/spec_defaults.h"

#include <dirent.h>
#include <sys/stat.h>

enum { MOUNTINFO_MAX = 8 << 20 };

/* "hots:", "dirr:/x": no image is called so, and it was meant to be something else. */
static bool is_mistyped(const char *text)
{
	static const char *const transports[] = {"docker:", "oci:", "oci-archive:", "docker-archive:"};
	const char *colon = strchr(text, ':');

	for (size_t i = 0; i < sizeof(transports) / sizeof(transports[0]); i++)
		if (text_after(text, transports[i]))
			return false;
	return colon && (!colon[1] || colon[1] == '/');
}

int run_source_parse(const char *text, struct run_source *ret, struct nook_error *e)
{
	static const struct {
		const char *prefix;
		int kind;
	} kinds[] = {{"host:", SOURCE_HOST}, {"dir:", SOURCE_DIR}, {"tar:", SOURCE_TAR}, {"img:", SOURCE_IMG},
		{"container:", SOURCE_CONTAINER}};

	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		const char *path = text_after(text, kinds[i].prefix);

		if (!path)
			continue;
		*ret = (struct run_source){.kind = kinds[i].kind, .text = text, .path = path, .extracted = -1};
		if (ret->kind == SOURCE_HOST ? *path : !*path)
			return err_fmt(e, STEP_OPTION, text, EINVAL, ret->kind == SOURCE_HOST ? "host: takes no path" : "it names no path");
		return 0;
	}
	if (!*text)
		return err_why(e, STEP_OPTION, "SOURCE", EINVAL, "it is empty");
	if (is_mistyped(text))
		return err_why(e, STEP_OPTION, text, EINVAL,
			"the source is not host:, dir:PATH, tar:FILE, img:FILE, container:NAME, oci:DIR, oci-archive:FILE, docker-archive:FILE "
			"or an image");
	*ret = (struct run_source){.kind = SOURCE_IMAGE, .text = text, .image = text, .extracted = -1};
	return 0;
}

/* ---- host: --------------------------------------------------------------------------------------------------------- */

/* Directories that a container has of its own, never the host's. */
static const char *const own_dirs[] = {"/proc", "/sys", "/dev", "/run", "/tmp"};

static bool is_own(const char *path)
{
	for (size_t i = 0; i < sizeof(own_dirs) / sizeof(own_dirs[0]); i++)
		if (path_below(path, own_dirs[i]))
			return true;
	return false;
}

/* File systems whose mounts can have their ids mapped on every kernel since 5.19. */
static bool is_disk_type(const char *type)
{
	static const char *const types[] = {"ext4", "ext3", "ext2", "xfs", "btrfs", "f2fs", "vfat", "exfat", "erofs"};

	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++)
		if (text_is(types[i], type))
			return true;
	return false;
}

/* "\040" and the like in a field of mountinfo. */
static void unescape(char *s)
{
	char *to = s;

	for (; *s; to++) {
		if (s[0] == '\\' && s[1] >= '0' && s[1] <= '3' && s[2] && s[3]) {
			*to = (char)((s[1] - '0') * 64 + (s[2] - '0') * 8 + (s[3] - '0'));
			s += 4;
		} else {
			*to = *s++;
		}
	}
	*to = 0;
}

/* The disks mounted below the host's root come along read-only. */
static int host_submounts(struct cli *c, struct spec *s, struct nook_error *e)
{
	struct buf text = {0};
	char *save = NULL, *copy;
	int r = file_read(AT_FDCWD, "/proc/self/mountinfo", MOUNTINFO_MAX, &text, e);

	copy = arena_strndup(c->arena, buf_text(&text), text.len);
	buf_done(&text);
	if (r < 0)
		return r;
	for (char *line = strtok_r(copy, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		/* id parent major:minor root TARGET options ... - TYPE source */
		char *dash = strstr(line, " - "), *target = line, *type;

		for (int field = 0; target && field < 4; field++)
			target = strchr(target, ' ') ? strchr(target, ' ') + 1 : NULL;
		if (!dash || !target)
			continue;
		target[strcspn(target, " ")] = 0;
		type = dash + 3;
		type[strcspn(type, " ")] = 0;
		unescape(target);
		if (text_is(target, "/") || is_own(target) || !is_disk_type(type))
			continue;
		TRY(spec_mount_add(s, target, "bind", target, "bind,ro,nosuid", NULL, e));
	}
	return 0;
}

/* An ordinary user cannot lay one overlay over a root with mounts in it, and could not write what root owns anyway: the
 * entries of "/" one by one, read-only. */
static int host_entries(struct cli *c, struct spec *s, struct nook_error *e)
{
	DIR *dir = opendir("/");
	struct dirent *entry;
	int r = 0;

	if (!dir)
		return err_sys(e, STEP_SOURCE, "/");
	while (r >= 0 && (entry = readdir(dir))) {
		const char *path = arena_printf(c->arena, "/%s", entry->d_name);
		struct stat st;

		if (text_is(entry->d_name, ".") || text_is(entry->d_name, "..") || is_own(path))
			continue;
		if (lstat(path, &st) < 0)
			continue;
		if (S_ISLNK(st.st_mode))
			r = spec_mount_add(s, path, "bind", path, "bind,copy-symlink", NULL, e);
		else if (S_ISDIR(st.st_mode))
			r = spec_mount_add(s, path, "bind", path, "rbind,rro,nosuid", NULL, e);
	}
	(void)closedir(dir);
	return r < 0 ? r : 0;
}

static int own_tmpfs(struct spec *s, const char *target, const char *mode, uint64_t bytes, struct nook_error *e)
{
	const char *words = arena_printf(s->arena, "nosuid,nodev,mode=%s", mode);

	return spec_mount_add(s, target, "tmpfs", "tmpfs", spec_tmpfs_options(s->arena, words, bytes), NULL, e);
}

static int root_host(struct cli *c, const struct run_options *o, struct spec *s, struct nook_error *e)
{
	s->root.host = true;
	s->root.path = "/";
	if (geteuid() == 0) {
		s->root.kind = ROOT_OVERLAY;
		TRY(host_submounts(c, s, e));
	} else {
		s->root.kind = ROOT_TMPFS;
		TRY(host_entries(c, s, e));
		if (o->overlay)
			return err_why(e, STEP_OPTION, "--overlay", EPERM, "an ordinary user cannot lay it over the host's root");
	}
	TRY(own_tmpfs(s, "/tmp", "1777", UINT64_C(1) << 30, e));
	return own_tmpfs(s, "/run", "0755", UINT64_C(64) << 20, e);
}

/* ---- dir: ---------------------------------------------------------------------------------------------------------- */

static int absolute(struct cli *c, const char *path, const char **ret, struct nook_error *e)
{
	char *real = realpath(path, NULL);

	if (!real)
		return err_sys(e, STEP_SOURCE, path);
	*ret = arena_strdup(c->arena, real);
	free(real);
	return 0;
}

static int root_dir(struct cli *c, const char *path, struct spec *s, struct nook_error *e)
{
	struct stat st;

	TRY(absolute(c, path, &s->root.path, e));
	if (stat(s->root.path, &st) < 0)
		return err_sys(e, STEP_SOURCE, s->root.path);
	if (!S_ISDIR(st.st_mode))
		return err_num(e, STEP_SOURCE, path, ENOTDIR);
	s->root.kind = ROOT_DIR;
	return 0;
}

/* --overlay, --overlay=keep:DIR */
static int overlay_option(struct cli *c, const char *text, struct spec *s, struct nook_error *e)
{
	const char *keep = text_after(text, "keep:");

	s->root.kind = ROOT_OVERLAY;
	if (!*text)
		return 0;
	if (!keep || !*keep)
		return err_fmt(e, STEP_OPTION, "--overlay", EINVAL, "\"%s\" is not keep:DIR", text);
	if (mkdir(keep, 0700) < 0 && errno != EEXIST)
		return err_sys(e, STEP_SOURCE, keep);
	return absolute(c, keep, &s->root.upper, e);
}

int run_root(struct cli *c, const struct run_options *o, const struct run_source *source, struct spec *s, struct nook_error *e)
{
	s->root.readonly = o->read_only;
	switch (source->kind) {
	case SOURCE_IMAGE:
		break; /* run_image_apply() */
	case SOURCE_CONTAINER:
		return 0; /* run_container_root() */
	case SOURCE_HOST:
		TRY(root_host(c, o, s, e));
		break;
	case SOURCE_DIR:
		TRY(root_dir(c, source->path, s, e));
		break;
	case SOURCE_IMG:
		TRY(run_root_image(c, o, source->path, s, e));
		break;
	case SOURCE_TAR:
		/* Where cmd_run.c will unpack it, once the container's state says so. */
		s->root.path = source->unpacked;
		s->root.kind = ROOT_DIR;
		break;
	}
	if (o->overlay && o->storage)
		return err_why(e, STEP_OPTION, "--storage", EINVAL, "--overlay says it already");
	if (o->overlay)
		return overlay_option(c, o->overlay, s, e);
	if (o->storage && s->root.kind == ROOT_TMPFS)
		return err_why(e, STEP_OPTION, "--storage", EPERM, "an ordinary user cannot lay one over the host's root");
	if (o->storage)
		s->root.kind = ROOT_OVERLAY;
	return 0;
}
