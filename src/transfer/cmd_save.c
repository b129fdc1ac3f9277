/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "transfer/transfer.h"

#include "base/fd.h"
#include "base/text.h"
#include "command/image_options.h"
#include "disk/draft.h"
#include "image/digest.h"
#include "image/reference.h"
#include "json/out.h"
#include "storage/blob.h"
#include "storage/image.h"
#include "transfer/archive_out.h"

#include <string.h>
#include <sys/stat.h>

enum save_format { SAVE_DOCKER, SAVE_OCI_ARCHIVE, SAVE_OCI };

struct saved {
	const char *name; /* canonical, or NULL */
	struct image image;
	struct manifest manifest;
	uint64_t size;    /* of the manifest */
};

struct save {
	struct cli *cli;
	struct depot *depot;
	struct archive_out out;
	struct saved *images;
	size_t n_images;
	const char **written; /* blobs */
	size_t n_written;
};

static const char *blob_name(const char *digest, struct arena *a)
{
	return arena_printf(a, "blobs/%s/%s", digest_names[digest_algorithm(digest)], digest_hex(digest));
}

static int add_blob(struct save *s, const char *digest, uint64_t *ret_size, struct nook_error *e)
{
	uint64_t size = 0;
	auto_close int fd = blob_open(s->depot, digest, &size, e);

	if (fd == -ENOENT)
		return err_why(e, STEP_IMAGE, digest, ENOENT, "the blob is missing from the store");
	TRY(fd);
	if (ret_size)
		*ret_size = size;
	for (size_t i = 0; i < s->n_written; i++)
		if (text_is(s->written[i], digest))
			return 0;
	*arena_push(s->cli->arena, &s->written, &s->n_written) = digest;
	return archive_out_file(&s->out, blob_name(digest, s->cli->arena), fd, size, e);
}

static int add_image(struct save *s, struct saved *i, struct nook_error *e)
{
	TRY(add_blob(s, i->image.digest, &i->size, e));
	TRY(add_blob(s, i->manifest.config.digest, NULL, e));
	for (size_t n = 0; n < i->manifest.n_layers; n++)
		TRY(add_blob(s, i->manifest.layers[n].digest, NULL, e));
	return 0;
}

/* ---- documents ------------------------------------------------------------------------------------------------------- */

static const char *index_text(struct save *s)
{
	struct arena *a = s->cli->arena;
	struct image_index index = {.n_manifests = s->n_images, .manifests = arena_new_n(a, struct descriptor, s->n_images + 1)};

	for (size_t i = 0; i < s->n_images; i++) {
		const struct saved *from = &s->images[i];
		struct descriptor *d = &index.manifests[i];
		struct reference r;

		*d = (struct descriptor){.media_type = media_oci_manifest, .digest = from->image.digest, .size = from->size};
		if (!from->name || reference_parse(from->name, a, &r, NULL) < 0)
			continue;
		spec_pair_set(a, &d->annotations, &d->n_annotations, "io.containerd.image.name", from->name);
		if (r.tag)
			spec_pair_set(a, &d->annotations, &d->n_annotations, "org.opencontainers.image.ref.name", r.tag);
	}
	return image_index_text(&index, a);
}

/* docker's list, beside which the index is for newer readers. */
static const char *docker_text(struct save *s)
{
	AUTO_VALUE(buf_done) struct buf text = {0};
	struct json_out o = {.text = &text};
	struct arena *a = s->cli->arena;

	json_out_array(&o, NULL);
	for (size_t i = 0; i < s->n_images; i++) {
		const struct saved *from = &s->images[i];

		json_out_object(&o, NULL);
		json_out_string(&o, "Config", blob_name(from->manifest.config.digest, a));
		json_out_array(&o, "RepoTags");
		if (from->name && !strchr(from->name, '@'))
			json_out_string(&o, NULL, reference_familiar(from->name));
		json_out_array_end(&o);
		json_out_array(&o, "Layers");
		for (size_t n = 0; n < from->manifest.n_layers; n++)
			json_out_string(&o, NULL, blob_name(from->manifest.layers[n].digest, a));
		json_out_array_end(&o);
		json_out_object_end(&o);
	}
	json_out_array_end(&o);
	return arena_strndup(a, buf_text(&text), text.len);
}

static bool uses_algorithm(const struct save *s, enum digest_algorithm algorithm)
{
	for (size_t i = 0; i < s->n_images; i++) {
		const struct saved *one = &s->images[i];

		if (digest_algorithm(one->image.digest) == algorithm || digest_algorithm(one->manifest.config.digest) == algorithm)
			return true;
		for (size_t n = 0; n < one->manifest.n_layers; n++)
			if (digest_algorithm(one->manifest.layers[n].digest) == algorithm)
				return true;
	}
	return false;
}

static int write_all(struct save *s, enum save_format format, struct nook_error *e)
{
	TRY(archive_out_folder(&s->out, "blobs", e));
	for (size_t i = 0; i < DIGEST_ALGORITHMS; i++)
		if (i == DIGEST_SHA256 || uses_algorithm(s, (enum digest_algorithm)i))
			TRY(archive_out_folder(&s->out, arena_printf(s->cli->arena, "blobs/%s", digest_names[i]), e));
	TRY(archive_out_text(&s->out, "oci-layout", "{\"imageLayoutVersion\":\"1.0.0\"}", e));
	for (size_t i = 0; i < s->n_images; i++)
		TRY(add_image(s, &s->images[i], e));
	TRY(archive_out_text(&s->out, "index.json", index_text(s), e));
	if (format == SAVE_DOCKER)
		TRY(archive_out_text(&s->out, "manifest.json", docker_text(s), e));
	return archive_out_end(&s->out, e);
}

/* ---- the command ----------------------------------------------------------------------------------------------------- */

static int find_images(struct save *s, int argc, char **argv, struct nook_error *e)
{
	for (int i = 0; i < argc; i++) {
		struct saved *one = arena_push(s->cli->arena, &s->images, &s->n_images);

		TRY(image_find(s->depot, argv[i], s->cli->arena, &one->image, &one->name, e));
		TRY(image_manifest(s->depot, &one->image, s->cli->arena, &one->manifest, e));
	}
	return 0;
}

static int format_parse(const char *text, enum save_format *ret, struct nook_error *e)
{
	static const char *const names[] = {[SAVE_DOCKER] = "docker-archive", [SAVE_OCI_ARCHIVE] = "oci-archive", [SAVE_OCI] = "oci"};

	*ret = SAVE_DOCKER;
	if (!text || text_is(text, "docker"))
		return 0;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (text_is(text, names[i]) || (i == SAVE_OCI && text_is(text, "oci-dir"))) {
			*ret = (enum save_format)i;
			return 0;
		}
	return err_fmt(e, STEP_OPTION, "--format", EINVAL, "\"%.40s\" is none of docker-archive, oci-archive and oci", text);
}

/* What was begun and not ended is of no use to anybody: the file has its name when it is whole. */
static int save_to_draft(struct save *s, enum save_format format, const char *path, mode_t mode, struct draft *d, struct nook_error *e)
{
	s->out.stream = d->fd;
	TRY(write_all(s, format, e));
	return draft_replace(d, path, mode, e);
}

/* Through a link, into a device or a pipe, or where no other file can be made. */
static int save_in_place(struct save *s, enum save_format format, const char *path, struct nook_error *e)
{
	auto_close int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	struct stat st;
	int r;

	if (fd < 0 || fstat(fd, &st) < 0)
		return err_sys(e, STEP_FILE, path);
	s->out.stream = fd;
	r = write_all(s, format, e);
	if (r < 0 && S_ISREG(st.st_mode))
		(void)unlink(path);
	return r;
}

static int save_to_folder(struct save *s, const char *path, struct nook_error *e)
{
	auto_close int made = TRY(dir_make(path, 0755, e));
	auto_close int dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (dir < 0)
		return err_sys(e, STEP_FILE, path);
	s->out.dir = dir;
	return write_all(s, SAVE_OCI, e);
}

static int save_to_file(struct save *s, enum save_format format, const char *path, struct nook_error *e)
{
	AUTO_VALUE(draft_done) struct draft d = DRAFT_INIT;
	struct stat st = {.st_mode = S_IFREG | 0644};
	mode_t mask;
	int code;

	if (lstat(path, &st) < 0) {
		mask = umask(0);
		(void)umask(mask);
		st.st_mode &= ~mask;
	}
	if (!S_ISREG(st.st_mode))
		return save_in_place(s, format, path, e);
	code = draft_open_over(&d, path, e);
	if (code == -EACCES || code == -ENOENT)
		return save_in_place(s, format, path, e);
	TRY(code);
	return save_to_draft(s, format, path, st.st_mode & 07777, &d, e);
}

int save_run(struct cli *c, void *options, int argc, char **argv, struct nook_error *e)
{
	const struct save_options *o = options;
	AUTO(depot_close) struct depot *d = NULL;
	struct save s = {.cli = c, .out = {.dir = -EBADF, .stream = -EBADF, .arena = c->arena}};
	enum save_format format;

	TRY(format_parse(o->format, &format, e));
	if (format == SAVE_OCI && !o->output)
		return err_why(e, STEP_OPTION, "--output", EINVAL, "is needed: the directory to fill");
	if (!o->output && isatty(STDOUT_FILENO))
		return err_why(e, STEP_OPTION, "--output", EINVAL, "is needed: an archive is nothing for a terminal");
	if (TRY(depot_open(c->root, DEPOT_READ, c->arena, &d, e)))
		return err_why(e, STEP_IMAGE, argv[0], ENOENT, "there is no such image");
	s.depot = d;
	TRY(find_images(&s, argc, argv, e));
	if (format == SAVE_OCI)
		return save_to_folder(&s, o->output, e);
	if (o->output && !text_is(o->output, "-"))
		return save_to_file(&s, format, o->output, e);
	s.out.stream = STDOUT_FILENO;
	return write_all(&s, format, e);
}
