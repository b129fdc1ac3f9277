/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* nook run: file systems in files, as roots and at mount points. */
#include "cli/run_options.h"

#include "base/cleanup.h"
#include "base/text.h"
#include "disk/disk.h"
#include "sys/fsimage.h"

#include <fcntl.h>

/* The disk at PATH: it is looked into. */
static int find_disk(struct cli *c, const char *path, bool readonly, const struct spec_disk **ret, struct nook_error *e)
{
	auto_free char *real = realpath(path, NULL);
	auto_close int fd = real ? open(real, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC) : -EBADF;
	struct spec_disk *disk = arena_new_of(c->arena, struct spec_disk);
	struct fsimage image;

	if (fd < 0)
		return err_sys(e, STEP_DISK, path);
	TRY(fsimage_probe(fd, path, &image, e));
	*disk = (struct spec_disk){
		.path = arena_strdup(c->arena, real),
		.fstype = fsimage_names[image.type],
		.readonly = readonly || !fsimage_is_writable(image.type),
	};
	*ret = disk;
	return 0;
}

int run_root_image(struct cli *c, const struct run_options *o, const char *path, struct spec *s, struct nook_error *e)
{
	/* With a layer over it the file is never written, and others may start from it, too. */
	TRY(find_disk(c, path, o->read_only || o->overlay || o->storage, &s->root.disk, e));
	s->root.path = s->root.disk->path;
	s->root.kind = s->root.disk->readonly ? ROOT_OVERLAY : ROOT_DIR;
	return 0;
}

/* What the options of a disk say beside mount(8)'s words. */
struct disk_words {
	const char *rest;
	bool readonly;
	struct disk_new create;
};

static int disk_word(struct cli *c, struct disk_words *w, const char *word, struct nook_error *e)
{
	const char *size = text_after(word, "size="), *fs = text_after(word, "fs=");
	int type;

	if (size) {
		if (text_bytes(size, &w->create.bytes) < 0 || !w->create.bytes)
			return err_fmt(e, STEP_OPTION, "--disk", EINVAL, "\"%s\" is no size", size);
		return 0;
	}
	if (fs) {
		type = fsimage_find(fs);
		if (type < 0 || !fsimage_is_writable((enum fsimage_type)type))
			return err_fmt(e, STEP_OPTION, "--disk", EINVAL, "\"%s\" is not ext4, xfs or btrfs", fs);
		w->create.type = (enum fsimage_type)type;
		return 0;
	}
	if (text_is(word, "ro") || text_is(word, "rro"))
		w->readonly = true;
	w->rest = arena_printf(c->arena, "%s,%s", w->rest, word);
	return 0;
}

int run_disk_add(struct cli *c, const struct run_options *o, struct spec *s, const char *path, const char *target, const char *options,
	struct nook_error *e)
{
	/* What is in a disk may come from anybody. */
	struct disk_words w = {.rest = "bind,nosuid,nodev", .create = {.type = FSIMAGE_EXT4}};
	const struct spec_disk *disk;
	struct spec_mount *m;
	char *save = NULL;

	if (!*path)
		return err_why(e, STEP_OPTION, "--disk", EINVAL, "it names no file");
	if (*target != '/')
		return err_fmt(e, STEP_OPTION, "--disk", EINVAL, "the target \"%s\" is not absolute", target);
	for (char *word = strtok_r(arena_strdup(c->arena, options), ",", &save); word; word = strtok_r(NULL, ",", &save))
		TRY(disk_word(c, &w, word, e));
	if (w.create.bytes && access(path, F_OK) < 0 && errno == ENOENT) {
		if (o->explain)
			return err_why(e, STEP_DISK, path, ENOENT, "it would be made now: there is no plan before it is");
		TRY(disk_create(path, &w.create, e));
	}
	TRY(find_disk(c, path, w.readonly, &disk, e));
	TRY(spec_mount_add(s, target, "bind", disk->path, w.rest, &m, e));
	m->disk = disk;
	return 0;
}

/* FILE:DST[:OPTIONS] */
int run_disks(struct cli *c, const struct run_options *o, struct spec *s, struct nook_error *e)
{
	for (size_t i = 0; i < o->disks.n; i++) {
		char *copy = arena_strdup(c->arena, o->disks.items[i]);
		char *target = strchr(copy, ':'), *options = target ? strchr(target + 1, ':') : NULL;

		if (!target)
			return err_fmt(e, STEP_OPTION, "--disk", EINVAL, "\"%s\" is not FILE:DST[:OPTIONS]", copy);
		*target++ = 0;
		if (options)
			*options++ = 0;
		TRY(run_disk_add(c, o, s, copy, target, options ? options : "", e));
	}
	return 0;
}
