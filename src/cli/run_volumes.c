/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cli/run_volumes.h"

#include "base/clock.h"
#include "base/path.h"
#include "base/text.h"

/* What the options say beside mount(8)'s words. */
struct volume_words {
	const char *rest;
	enum volume_fill fill;
	bool readonly;
	const char *driver, *fs;
	uint64_t bytes;
};

static int volume_word(struct cli *c, struct volume_words *w, const char *word, struct nook_error *e)
{
	const char *size = text_after(word, "size="), *fs = text_after(word, "fs="), *driver = text_after(word, "driver=");

	if (size) {
		if (text_bytes(size, &w->bytes) < 0 || !w->bytes)
			return err_fmt(e, STEP_OPTION, "--volume", EINVAL, "\"%s\" is no size", size);
	} else if (fs) {
		w->fs = fs;
	} else if (driver) {
		w->driver = driver;
	} else if (text_is(word, "nocopy")) {
		w->fill = VOLUME_NO_COPY;
	} else if (!text_is(word, "copy")) {
		w->readonly |= text_is(word, "ro") || text_is(word, "rro");
		w->rest = arena_printf(c->arena, "%s,%s", w->rest, word);
	}
	return 0;
}

static int make(struct cli *c, const struct volume_words *w, const char *name, bool anonymous, struct volume *ret, struct nook_error *e)
{
	struct volume v = {
		.name = name,
		.driver = w->driver ? w->driver : w->bytes || w->fs ? "disk" : "dir",
		.fs = w->fs,
		.bytes = w->bytes,
		.created_ns = clock_date_ns(),
		.anonymous = anonymous,
	};
	int r;

	TRY(volume_check(&v, e));
	r = volume_create(c->root, &v, c->arena, e);
	if (r < 0 && r != -EEXIST)
		return r;
	return volume_load(c->root, name, c->arena, ret, e);
}

static int find_or_make(struct cli *c, const struct run_options *o, const struct volume_words *w, const char *name, bool anonymous,
	struct volume *ret, struct nook_error *e)
{
	int r = volume_load(c->root, name, c->arena, ret, NULL);

	if (r == 0)
		return 0;
	if (r != -ENOENT)
		return volume_load(c->root, name, c->arena, ret, e);
	if (!o->explain)
		return make(c, w, name, anonymous, ret, e);
	/* Nothing is made for a plan that is only read. */
	*ret = (struct volume){.name = name, .driver = "dir", .source = arena_printf(c->arena, "%s/volumes/%s/data", c->root, name)};
	return 0;
}

static int add_mount(struct cli *c, struct spec *s, const struct volume *v, const struct volume_words *w, const char *target,
	bool fill, struct nook_error *e)
{
	struct spec_mount *m;

	TRY(spec_mount_add(s, target, "bind", v->source, w->rest, &m, e));
	m->copyup = fill;
	if (text_is(v->driver, "disk")) {
		struct spec_disk *disk = arena_new_of(c->arena, struct spec_disk);

		/* Who fills a disk has to write it first. */
		*disk = (struct spec_disk){v->source, v->fs && *v->fs ? v->fs : "ext4", w->readonly && !fill};
		m->disk = disk;
	}
	return 0;
}

int run_volume_add(struct cli *c, const struct run_options *o, struct run_volumes *v, struct spec *s, const char *name,
	const char *target, const char *options, struct nook_error *e)
{
	struct volume_words w = {.rest = "bind"};
	struct volume_use use = VOLUME_USE_INIT;
	bool anonymous = !name;
	struct volume volume;
	char *save = NULL;

	if (*target != '/')
		return err_fmt(e, STEP_OPTION, "--volume", EINVAL, "the target \"%s\" is not absolute", target);
	for (char *word = strtok_r(arena_strdup(c->arena, options), ",", &save); word; word = strtok_r(NULL, ",", &save))
		TRY(volume_word(c, &w, word, e));
	if (anonymous) {
		const char *half, *other;

		TRY(container_id_new(c->arena, &half, e));
		TRY(container_id_new(c->arena, &other, e));
		name = arena_printf(c->arena, "%s%s", half, other);
		v->made_anonymous = !o->explain;
	}
	TRY(find_or_make(c, o, &w, name, anonymous, &volume, e));
	if (!o->explain)
		TRY(volume_use(c->root, &volume, w.fill, &use, e));
	*arena_push(c->arena, &v->uses, &v->n_uses) = use;
	run_volume_note(c, v, name, target, w.readonly ? "ro" : "");
	return add_mount(c, s, &volume, &w, target, use.fill >= 0, e);
}

/* An image is anybody's: it does not lay something over the kernel's file systems, by whatever spelling. */
static bool is_for_data(const char *path)
{
	static const char *const kernels[] = {"/proc", "/sys", "/dev"};

	if (path[0] != '/' || strstr(path, "/../") || strstr(path, "/./") || strstr(path, "//"))
		return false;
	for (size_t i = 0; i < sizeof(kernels) / sizeof(kernels[0]); i++)
		if (path_below(path, kernels[i]))
			return false;
	return path[1] != 0;
}

int run_volumes_of_image(struct cli *c, const struct run_options *o, struct run_volumes *v, struct spec *s, const char *const *paths,
	const char *image, struct nook_error *e)
{
	for (; paths && *paths; paths++) {
		if (!is_for_data(*paths))
			return err_fmt(e, STEP_IMAGE, image, EINVAL, "its volume \"%s\" is no place for data", *paths);
		if (!spec_mount_find(s, *paths))
			TRY(run_volume_add(c, o, v, s, NULL, *paths, "", e));
	}
	return 0;
}

void run_volume_note(struct cli *c, struct run_volumes *v, const char *source, const char *target, const char *options)
{
	/* One with a colon in it cannot be written so. */
	if (strchr(source, ':') || strchr(target, ':'))
		return;
	*arena_push(c->arena, &v->texts, &v->n_texts) =
		arena_printf(c->arena, "%s:%s%s%s", source, target, *options ? ":" : "", options);
}

int run_volumes_filled(struct run_volumes *v, struct nook_error *e)
{
	for (size_t i = 0; i < v->n_uses; i++) {
		TRY(volume_filled(&v->uses[i], e));
		close_fd(&v->uses[i].fill);
	}
	return 0;
}

void run_volumes_done(struct run_volumes *v)
{
	for (size_t i = 0; i < v->n_uses; i++)
		volume_use_done(&v->uses[i]);
	v->n_uses = 0;
}
