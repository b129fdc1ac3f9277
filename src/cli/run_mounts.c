/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* nook run: volumes, tmpfs, devices. */
#include "cli/run_options.h"

#include "base/text.h"
#include "cli/run_volumes.h"
#include "spec/spec_defaults.h"

#include <sys/stat.h>
#include <sys/sysmacros.h>

enum { TMPFS_BYTES = 1 << 30 };

static int host_path(struct cli *c, const char *option, const char *path, const char **ret, struct nook_error *e)
{
	char *real;

	if (!*path)
		return err_why(e, STEP_OPTION, option, EINVAL, "it names no source");
	real = realpath(path, NULL);
	if (!real)
		return err_sys(e, STEP_SOURCE, path);
	*ret = arena_strdup(c->arena, real);
	free(real);
	return 0;
}

/* Of the host's, or a volume's name. */
static bool is_path(const char *source)
{
	return source[0] == '/' || source[0] == '.' || source[0] == '~' || strchr(source, '/');
}

static int bind_add(struct cli *c, struct run_volumes *v, struct spec *s, const char *path, const char *target, const char *options,
	struct nook_error *e)
{
	const char *source = NULL;

	TRY(host_path(c, "--volume", path, &source, e));
	run_volume_note(c, v, source, target, options);
	return spec_mount_add(s, target, "bind", source, arena_printf(c->arena, "rbind,%s", *options ? options : "rw"), NULL, e);
}

/* SRC:DST[:OPTIONS], or DST alone */
static int volume(struct cli *c, const struct run_options *o, struct run_volumes *v, struct spec *s, const char *text, const char *more,
	struct nook_error *e)
{
	char *copy = arena_strdup(c->arena, text), *target = strchr(copy, ':');
	const char *options = more;

	if (!target)
		return run_volume_add(c, o, v, s, NULL, copy, more, e);
	*target++ = 0;
	if (strchr(target, ':')) {
		char *colon = strchr(target, ':');

		*colon = 0;
		options = arena_printf(c->arena, "%s%s%s", colon + 1, *more ? "," : "", more);
	}
	if (*target != '/')
		return err_fmt(e, STEP_OPTION, "--volume", EINVAL, "\"%s\": the target \"%s\" is not absolute", text, target);
	if (*copy && !is_path(copy))
		return run_volume_add(c, o, v, s, copy, target, options, e);
	return bind_add(c, v, s, copy, target, options, e);
}

/* CONTAINER[:OPTIONS]: all that it shows of volumes and of the host. */
static int volumes_from(struct cli *c, const struct run_options *o, struct run_volumes *v, struct spec *s, const char *text,
	struct nook_error *e)
{
	const char *colon = strchr(text, ':');
	const char *name = colon ? arena_strndup(c->arena, text, (size_t)(colon - text)) : text;
	struct container other;

	if (!v->store)
		return err_why(e, STEP_OPTION, "--volumes-from", EINVAL, "there are no containers");
	TRY(container_load(v->store, name, c->arena, &other, e));
	for (size_t i = 0; i < other.n_volumes; i++)
		TRY(volume(c, o, v, s, other.volumes[i], colon ? colon + 1 : "", e));
	return 0;
}

static int tmpfs(struct spec *s, const char *target, const char *options, struct nook_error *e)
{
	bool sized = strstr(options, "size=") != NULL, counted = strstr(options, "nr_inodes=") != NULL;
	const char *words = arena_printf(s->arena, "nosuid,nodev,mode=1777,%s", options);

	if (*target != '/')
		return err_fmt(e, STEP_OPTION, "--tmpfs", EINVAL, "\"%s\" is not absolute", target);
	if (!sized)
		words = spec_tmpfs_options(s->arena, words, TMPFS_BYTES);
	else if (!counted)
		words = arena_printf(s->arena, "%s,nr_inodes=%d", words, 1 << 18);
	return spec_mount_add(s, target, "tmpfs", "tmpfs", words, NULL, e);
}

static int tmpfs_option(struct cli *c, struct spec *s, const char *text, struct nook_error *e)
{
	const char *colon = strchr(text, ':');

	if (!colon)
		return tmpfs(s, text, "", e);
	return tmpfs(s, arena_strndup(c->arena, text, (size_t)(colon - text)), colon + 1, e);
}

/* ---- --mount type=bind,source=...,target=...,readonly ---------------------------------------------------------------- */

struct long_mount {
	const char *type, *source, *target, *options;
	const char *lower, *upper, *work;
};

static int long_field(struct cli *c, struct long_mount *m, char *field, struct nook_error *e)
{
	const struct {
		const char *name;
		const char **to;
	} names[] = {
		{"type", &m->type},          {"source", &m->source},      {"src", &m->source},     {"target", &m->target},
		{"dst", &m->target},         {"destination", &m->target}, {"lowerdir", &m->lower}, {"upperdir", &m->upper},
		{"workdir", &m->work},
	};
	char *value = strchr(field, '=');

	if (value) {
		*value++ = 0;
		for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
			if (text_is(names[i].name, field)) {
				*names[i].to = value;
				return 0;
			}
		}
		if (text_is(field, "tmpfs-size"))
			field = arena_printf(c->arena, "size=%s", value);
		else if (text_is(field, "tmpfs-mode"))
			field = arena_printf(c->arena, "mode=%s", value);
		else if (text_is(field, "bind-propagation") || text_is(field, "volume-opt"))
			field = value; /* rslave; size=1G, fs=xfs */
		else if (text_is(field, "readonly") || text_is(field, "ro"))
			field = arena_strdup(c->arena, text_is(value, "false") || text_is(value, "0") ? "rw" : "ro");
		else if (text_is(field, "volume-driver"))
			field = arena_printf(c->arena, "driver=%s", value);
		else
			field = arena_printf(c->arena, "%s=%s", field, value);
	} else if (text_is(field, "readonly")) {
		field = arena_strdup(c->arena, "ro");
	} else if (text_is(field, "volume-nocopy")) {
		field = arena_strdup(c->arena, "nocopy");
	}
	m->options = arena_printf(c->arena, "%s%s%s", m->options, *m->options ? "," : "", field);
	(void)e;
	return 0;
}

static int overlay_mount(struct cli *c, struct spec *s, const struct long_mount *m, struct nook_error *e)
{
	const char *data = m->options;

	if (!m->lower)
		return err_why(e, STEP_OPTION, "--mount", EINVAL, "type=overlay needs lowerdir=");
	data = arena_printf(c->arena, "%s%slowerdir=%s", data, *data ? "," : "", m->lower);
	if (m->upper && m->work)
		data = arena_printf(c->arena, "%s,upperdir=%s,workdir=%s%s", data, m->upper, m->work,
			s->ns[NS_USER].mode == NS_HOST ? "" : ",userxattr");
	else if (!m->upper && !m->work && !strchr(m->lower, ':'))
		return err_why(e, STEP_OPTION, "--mount", EINVAL, "type=overlay needs two directories in lowerdir=, or upperdir= and workdir=");
	else if (m->upper || m->work)
		return err_why(e, STEP_OPTION, "--mount", EINVAL, "type=overlay needs upperdir= and workdir= together");
	return spec_mount_add(s, m->target, "overlay", "overlay", data, NULL, e);
}

static int long_option(struct cli *c, const struct run_options *o, struct run_volumes *v, struct spec *s, const char *text,
	struct nook_error *e)
{
	struct long_mount m = {.type = "bind", .options = ""};
	char *save = NULL;
	const char *source = NULL;

	for (char *field = strtok_r(arena_strdup(c->arena, text), ",", &save); field; field = strtok_r(NULL, ",", &save))
		TRY(long_field(c, &m, field, e));
	if (!m.target || *m.target != '/')
		return err_fmt(e, STEP_OPTION, "--mount", EINVAL, "\"%s\" has no absolute target=", text);
	if (text_is(m.type, "tmpfs"))
		return tmpfs(s, m.target, m.options, e);
	if (text_is(m.type, "overlay"))
		return overlay_mount(c, s, &m, e);
	if (text_is(m.type, "volume"))
		return run_volume_add(c, o, v, s, m.source, m.target, m.options, e);
	if (text_is(m.type, "disk"))
		return run_disk_add(c, o, s, m.source ? m.source : "", m.target, m.options, e);
	if (!text_is(m.type, "bind"))
		return err_fmt(e, STEP_OPTION, "--mount", EINVAL, "type \"%s\" is not bind, volume, disk, tmpfs or overlay", m.type);
	TRY(host_path(c, "--mount", m.source ? m.source : "", &source, e));
	run_volume_note(c, v, source, m.target, m.options);
	return spec_mount_add(s, m.target, "bind", source, arena_printf(c->arena, "rbind%s%s", *m.options ? "," : "", m.options),
		NULL, e);
}

/* ---- devices --------------------------------------------------------------------------------------------------------- */

static int device_access(const char *text, unsigned *ret)
{
	*ret = 0;
	for (; *text; text++) {
		unsigned bit = *text == 'r' ? DEV_READ : *text == 'w' ? DEV_WRITE : *text == 'm' ? DEV_MKNOD : 0;

		if (!bit)
			return -EINVAL;
		*ret |= bit;
	}
	return *ret ? 0 : -EINVAL;
}

/* HOST[:DST][:rwm] */
static int device(struct cli *c, struct spec *s, const char *text, struct nook_error *e)
{
	char *copy = arena_strdup(c->arena, text), *second = strchr(copy, ':'), *third = NULL;
	struct spec_device_rule rule = {.allow = true, .access = DEV_READ | DEV_WRITE | DEV_MKNOD};
	struct spec_device *d;
	const char *target;
	struct stat st;

	if (second) {
		*second++ = 0;
		third = strchr(second, ':');
		if (third)
			*third++ = 0;
		else if (*second != '/')
			third = second, second = NULL;
	}
	target = second ? second : copy;
	if (third && device_access(third, &rule.access) < 0)
		return err_fmt(e, STEP_OPTION, "--device", EINVAL, "\"%s\" is not made of r, w and m", third);
	if (*target != '/')
		return err_fmt(e, STEP_OPTION, "--device", EINVAL, "\"%s\" is not absolute", target);
	if (stat(copy, &st) < 0)
		return err_sys(e, STEP_SOURCE, copy);
	if (!S_ISCHR(st.st_mode) && !S_ISBLK(st.st_mode))
		return err_why(e, STEP_SOURCE, copy, ENODEV, "it is no device node");
	rule.type = S_ISBLK(st.st_mode) ? 'b' : 'c';
	rule.major = major(st.st_rdev);
	rule.minor = minor(st.st_rdev);
	*arena_push(s->arena, &s->resources.devices, &s->resources.n_devices) = rule;
	d = arena_push(s->arena, &s->devices, &s->n_devices);
	*d = (struct spec_device){.path = target, .type = rule.type, .major = rule.major, .minor = rule.minor, .source = copy,
		.has_mode = true, .mode = st.st_mode & 07777};
	return 0;
}

static int shm_size(struct spec *s, const struct opt_i64 *size, struct nook_error *e)
{
	if (!size->set)
		return 0;
	if (size->value <= 0)
		return err_why(e, STEP_OPTION, "--shm-size", ERANGE, "it must be positive");
	for (size_t i = 0; i < s->n_mounts; i++) {
		struct spec_mount *m = &s->mounts[i];

		if (m->standard && text_is(m->target, "/dev/shm"))
			m->data = spec_tmpfs_options(s->arena, "mode=1777", (uint64_t)size->value);
	}
	return 0;
}

int run_mounts(struct cli *c, const struct run_options *o, struct run_volumes *v, struct spec *s, struct nook_error *e)
{
	TRY(shm_size(s, &o->shm_size, e));
	for (size_t i = 0; i < o->tmpfs.n; i++)
		TRY(tmpfs_option(c, s, o->tmpfs.items[i], e));
	for (size_t i = 0; i < o->volumes.n; i++)
		TRY(volume(c, o, v, s, o->volumes.items[i], "", e));
	for (size_t i = 0; i < o->volumes_from.n; i++)
		TRY(volumes_from(c, o, v, s, o->volumes_from.items[i], e));
	for (size_t i = 0; i < o->mounts.n; i++)
		TRY(long_option(c, o, v, s, o->mounts.items[i], e));
	for (size_t i = 0; i < o->devices.n; i++)
		TRY(device(c, s, o->devices.items[i], e));
	return 0;
}

int run_mounts_again(struct cli *c, const struct run_options *o, const struct container *from, struct run_volumes *v, struct spec *s,
	struct nook_error *e)
{
	for (size_t i = 0; i < from->n_volumes; i++) {
		const char *colon = strchr(from->volumes[i], ':');
		const char *target = colon ? arena_strndup(c->arena, colon + 1, strcspn(colon + 1, ":")) : "";

		if (!spec_mount_find(s, target))
			TRY(volume(c, o, v, s, from->volumes[i], "", e));
	}
	return 0;
}
