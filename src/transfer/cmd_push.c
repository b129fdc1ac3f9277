/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A push: config and layers that the registry does not have, several at a time, then the manifest.  Layers that were never
 * compressed (docker save keeps them so) are compressed on the way into a file without a name, and a manifest that says so
 * is sent.
 */
#include "transfer/transfer.h"

#include "archive/deflate.h"
#include "base/fd.h"
#include "base/text.h"
#include "command/registry_options.h"
#include "storage/blob.h"
#include "storage/hash.h"
#include "storage/image.h"
#include "transfer/crew.h"
#include "transfer/document.h"
#include "transfer/reach.h"
#include "transfer/upload.h"

#include <stdio.h>
#include <string.h>

enum { WORKERS = 4, LABEL_DIGITS = 12, COPY_BLOCK = 256 << 10, MOUNTS_MAX = 8 };

struct piece {
	const struct descriptor *kept; /* as in the depot */
	struct descriptor sent;        /* as in the registry */
	int fd;                        /* of what was compressed, or -EBADF */
};

struct push {
	struct cli *cli;
	const struct push_options *options;
	struct arena *arena;
	struct reach *reach;
	struct depot *depot;
	struct progress progress;
	struct image image;
	struct image_document document;
	const char *text; /* of the manifest that is sent */
	size_t len;
	const char *type, *digest;
	struct reference name;
	struct remote *remote;
	const char **mounts;
	size_t n_mounts;
	struct piece *pieces; /* the layers, then the config */
	size_t n_pieces;
	enum compression compression;
};

static void push_done(struct push *p)
{
	for (size_t i = 0; i < p->n_pieces; i++)
		close_fd(&p->pieces[i].fd);
	remote_free(p->remote);
	depot_close(p->depot);
}

/* ---- what is sent --------------------------------------------------------------------------------------------------- */

static int load_manifest(struct push *p, struct nook_error *e)
{
	AUTO_VALUE(buf_done) struct buf text = {0};

	TRY(blob_read(p->depot, p->image.digest, MANIFEST_BYTES_MAX, &text, e));
	p->text = arena_memdup(p->arena, buf_text(&text), text.len + 1);
	p->len = text.len;
	p->digest = p->image.digest;
	TRY(image_document_parse(p->text, p->len, NULL, p->image.digest, p->arena, &p->document, e));
	p->type = p->document.media_type;
	return 0;
}

/* A layer that need not be in a registry stays where its URLs say. */
static bool is_elsewhere(const struct descriptor *d)
{
	return d->urls && d->urls[0] && media_find(d->media_type)->foreign;
}

static void list_pieces(struct push *p)
{
	const struct manifest *m = &p->document.manifest;

	p->n_pieces = m->n_layers + 1;
	p->pieces = arena_new_n(p->arena, struct piece, p->n_pieces);
	for (size_t i = 0; i < p->n_pieces; i++) {
		p->pieces[i].kept = i < m->n_layers ? &m->layers[i] : &m->config;
		p->pieces[i].sent = *p->pieces[i].kept;
		p->pieces[i].fd = -EBADF;
	}
}

static int compress(struct push *p, struct piece *piece, struct nook_error *e)
{
	uint64_t size = 0;
	auto_close int from = TRY(blob_open(p->depot, piece->kept->digest, &size, e));
	auto_close int to = openat(p->depot->fd, "ingest", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	auto_free char *block = xcalloc(1, COPY_BLOCK);
	AUTO(deflate_free) struct deflate *d = NULL;
	char digest[DIGEST_TEXT_MAX];

	if (to < 0)
		return err_sys(e, STEP_IMAGE, piece->kept->digest);
	d = deflate_new(p->compression, to);
	for (uint64_t at = 0; at < size;) {
		ssize_t n = pread(from, block, COPY_BLOCK, (off_t)at);

		if (n <= 0)
			return n < 0 ? err_sys(e, STEP_IMAGE, piece->kept->digest) : err_num(e, STEP_IMAGE, piece->kept->digest, EIO);
		TRY(deflate_write(d, block, (size_t)n, e));
		at += (uint64_t)n;
	}
	TRY(deflate_finish(d, digest, &piece->sent.size, e));
	piece->sent.digest = arena_strdup(p->arena, digest);
	piece->sent.media_type = media_layer_type(p->compression);
	piece->fd = take_fd(&to);
	return 0;
}

static bool is_plain(const struct descriptor *d)
{
	const struct media *m = media_find(d->media_type);

	return m->kind == MEDIA_LAYER && m->compression == COMPRESSION_NONE;
}

/* With layers that are now compressed the manifest is another one, and an OCI one. */
static int rewrite(struct push *p, struct nook_error *e)
{
	struct manifest *m = &p->document.manifest;
	AUTO(hash_free) struct hash *h = NULL;
	char digest[DIGEST_TEXT_MAX];
	size_t n = 0;

	for (size_t i = 0; i < m->n_layers; i++) {
		if (!is_plain(p->pieces[i].kept) || p->compression == COMPRESSION_NONE)
			continue;
		progress_say(&p->progress, "compressing %.*s", LABEL_DIGITS, digest_hex(p->pieces[i].kept->digest));
		TRY(compress(p, &p->pieces[i], e));
		n++;
	}
	if (!n)
		return 0;
	for (size_t i = 0; i < m->n_layers; i++) {
		m->layers[i] = p->pieces[i].sent;
		if (media_find(m->layers[i].media_type)->docker)
			m->layers[i].media_type = media_layer_type(media_find(m->layers[i].media_type)->compression);
	}
	m->config.media_type = media_oci_config;
	p->text = manifest_text(m, p->arena);
	p->len = strlen(p->text);
	p->type = media_oci_manifest;
	h = hash_new(DIGEST_SHA256);
	hash_add(h, p->text, p->len);
	hash_end(h, digest);
	p->digest = arena_strdup(p->arena, digest);
	return 0;
}

/* Other repositories of that registry which have the image, as far as its names tell. */
static void find_mounts(struct push *p)
{
	for (size_t i = 0; i < p->image.n_names && p->n_mounts < MOUNTS_MAX; i++) {
		struct reference other;

		if (reference_parse(p->image.names[i], p->arena, &other, NULL) == 0 && text_is(other.registry, p->name.registry) &&
			!text_is(other.repository, p->name.repository))
			*arena_push(p->arena, &p->mounts, &p->n_mounts) = other.repository;
	}
}

/* ---- sending -------------------------------------------------------------------------------------------------------- */

static int run_piece(void *context, size_t worker, size_t i, struct nook_error *e)
{
	struct push *p = context;
	struct piece *piece = &p->pieces[i];
	struct upload u = {
		.size = piece->sent.size, .digest = piece->sent.digest, .mounts = p->mounts, .tries = reach_tries(p->reach),
		.chunk_size = p->options->chunk_size.set ? (uint64_t)p->options->chunk_size.value : 0,
	};
	auto_close int blob = -EBADF;

	(void)worker;
	if (is_elsewhere(piece->kept)) {
		p->progress.rows[i].state = PROGRESS_PRESENT;
		return 0;
	}
	if (piece->fd < 0) {
		blob = blob_open(p->depot, piece->kept->digest, &u.size, e);
		if (blob == -ENOENT)
			return err_why(e, STEP_IMAGE, piece->kept->digest, ENOENT, "the store has this layer only unpacked");
		TRY(blob);
	}
	u.fd = piece->fd < 0 ? blob : piece->fd;
	return upload_blob(p->remote, &u, &p->progress.rows[i], e);
}

static int push_pieces(struct push *p, struct nook_error *e)
{
	struct progress_row *rows = progress_rows(&p->progress, p->n_pieces, p->arena);
	const struct crew_work work = {
		.n = p->n_pieces, .run = run_piece, .context = p, .workers = WORKERS, .http = p->reach->http, .progress = &p->progress,
	};

	for (size_t i = 0; i < p->n_pieces; i++) {
		rows[i].label = arena_printf(p->arena, "%.*s", LABEL_DIGITS, digest_hex(p->pieces[i].sent.digest));
		rows[i].total = p->pieces[i].sent.size;
	}
	return crew_run(&work, e);
}

static int put_manifest(struct push *p, const char *reference, const char *type, const char *text, size_t len, struct http_reply **ret,
	struct nook_error *e)
{
	const char *const headers[] = {arena_printf(p->arena, "Content-Type: %s", type), NULL};
	const struct remote_call call = {
		.method = "PUT", .path = arena_printf(p->arena, "manifests/%s", reference), .headers = headers, .body = text, .body_len = len,
	};

	return remote_open(p->remote, &call, ret, e);
}

/* A registry that does not list referrers has them in an index under a tag. */
static int add_to_referrers(struct push *p, struct nook_error *e)
{
	const struct manifest *m = &p->document.manifest;
	const char *tag = digest_referrers_tag(m->subject.digest, p->arena);
	AUTO(http_close) struct http_reply *reply = NULL;
	struct document d = {0};
	struct image_index index = {0};
	struct descriptor *own;
	const char *text;
	int r;

	r = document_fetch(p->remote, tag, 0, p->arena, &d, e);
	if (r < 0 && r != -ENOENT)
		return r;
	if (r == 0 && d.parsed.is_index)
		index = d.parsed.index;
	for (size_t i = 0; i < index.n_manifests; i++)
		if (text_is(index.manifests[i].digest, p->digest))
			return 0;
	own = arena_push(p->arena, &index.manifests, &index.n_manifests);
	*own = (struct descriptor){
		.media_type = p->type, .digest = p->digest, .size = p->len, .annotations = m->annotations, .n_annotations = m->n_annotations,
		.artifact_type = m->artifact_type ? m->artifact_type : m->config.media_type,
	};
	text = image_index_text(&index, p->arena);
	return put_manifest(p, tag, media_oci_index, text, strlen(text), &reply, e);
}

static int send_manifest(struct push *p, struct nook_error *e)
{
	AUTO(http_close) struct http_reply *reply = NULL;
	const char *reference = p->name.tag ? p->name.tag : p->name.digest, *stored;

	if (p->name.digest && !text_is(p->name.digest, p->digest))
		return err_fmt(e, STEP_IMAGE, p->name.digest, EINVAL, "the image is %s", p->digest);
	TRY(put_manifest(p, reference, p->type, p->text, p->len, &reply, e));
	stored = http_header(reply, "Docker-Content-Digest");
	if (stored && digest_is_valid(stored) && digest_algorithm(stored) == DIGEST_SHA256 && !text_is(stored, p->digest))
		return err_fmt(e, STEP_REGISTRY, remote_name(p->remote), EBADMSG, "the registry stored %s, and not %s", stored, p->digest);
	if (p->document.manifest.has_subject && !http_header(reply, "OCI-Subject"))
		return add_to_referrers(p, e);
	return 0;
}

/* ---- the command ---------------------------------------------------------------------------------------------------- */

static int choose_compression(const struct push_options *o, enum compression *ret, struct nook_error *e)
{
	*ret = COMPRESSION_GZIP;
	if (!o->compression)
		return 0;
	for (enum compression how = COMPRESSION_NONE; how < COMPRESSIONS; how++)
		if (text_is(o->compression, compression_names[how])) {
			*ret = how;
			return 0;
		}
	return err_fmt(e, STEP_OPTION, "--compression", EINVAL, "\"%.40s\" is none of gzip, zstd, none", o->compression);
}

static int find_remote(struct push *p, struct nook_error *e)
{
	struct registries_place *places = NULL;
	size_t n = 0;

	TRY(registries_places(&p->reach->conf, p->name.registry, p->name.repository, REGISTRIES_BY_TAG, p->arena, &places, &n, e));
	/* The last is the registry itself; mirrors are not for writing. */
	return reach_remote(p->reach, &places[n - 1], "pull,push", &p->remote, e);
}

static int write_digest(const char *file, const char *digest, struct nook_error *e)
{
	auto_close int fd = open(file, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	int r = fd < 0 ? -errno : fd_write(fd, digest, strlen(digest));

	return r < 0 ? err_num(e, STEP_FILE, file, r) : 0;
}

int push_run(struct cli *c, void *options, int argc, char **argv, struct nook_error *e)
{
	const struct push_options *o = options;
	AUTO_VALUE(reach_done) struct reach reach = {0};
	AUTO_VALUE(push_done) struct push p = {.cli = c, .options = o, .arena = c->arena, .reach = &reach};
	const char *name = NULL, *target;
	int r;

	TRY(choose_compression(o, &p.compression, e));
	if (o->chunk_size.set && o->chunk_size.value <= 0)
		return err_why(e, STEP_OPTION, "--chunk-size", EINVAL, "is not a size");
	progress_init(&p.progress, c, "pushing", "pushed", o->quiet);
	r = depot_open(c->root, DEPOT_READ, c->arena, &p.depot, e);
	if (r == 1 || r == -ENOENT)
		return err_why(e, STEP_IMAGE, argv[0], ENOENT, "there is no such image");
	TRY(r);
	TRY(image_find(p.depot, argv[0], c->arena, &p.image, &name, e));
	target = argc > 1 ? argv[1] : name;
	if (!target)
		return err_why(e, STEP_IMAGE, argv[0], EINVAL, "was named by its id: say where it goes, as in nook push ID NAME");
	TRY(reference_parse(target, c->arena, &p.name, e));
	TRY(reach_open(c, &o->access, REACH_DEPOT, o->digestfile, &reach, e));
	TRY(find_remote(&p, e));
	TRY(load_manifest(&p, e));
	progress_say(&p.progress, "pushing %s", reference_text(&p.name, c->arena));
	list_pieces(&p);
	TRY(rewrite(&p, e));
	find_mounts(&p);
	TRY(push_pieces(&p, e));
	TRY(send_manifest(&p, e));
	progress_say(&p.progress, "digest: %s", p.digest);
	if (o->digestfile)
		TRY(write_digest(o->digestfile, p.digest, e));
	(void)puts(reference_text(&p.name, c->arena));
	return 0;
}
