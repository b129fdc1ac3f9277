/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The unpackers of several layers run side by side while their bytes are copied: a layer is only waited for when
 * LAYERS_AT_ONCE are under way.
 */
#include "transfer/intake.h"

#include "base/text.h"
#include "image/digest.h"
#include "image/reference.h"
#include "json/bind.h"
#include "storage/hash.h"
#include "storage/image.h"
#include "storage/sink.h"

#include <stdio.h>

enum { LAYERS_AT_ONCE = 4, COPY_BLOCK = 256 << 10, DOCKER_IMAGES_MAX = 1024 };

struct intake {
	struct depot *depot;
	const struct source *source;
	const struct platform *platform;
	struct arena *arena;
	struct sink *running[LAYERS_AT_ONCE];
	struct arrival *arrivals;
	size_t n_arrivals;
};

/* ---- blobs ----------------------------------------------------------------------------------------------------------- */

static int copy_piece(struct sink *s, const struct piece *p, const char *digest, struct nook_error *e)
{
	auto_free char *block = xcalloc(1, COPY_BLOCK);

	for (uint64_t done = sink_offset(s); done < p->size;) {
		const size_t want = p->size - done < COPY_BLOCK ? (size_t)(p->size - done) : COPY_BLOCK;
		ssize_t n = pread(p->fd, block, want, (off_t)(p->at + done));

		if (n <= 0)
			return n < 0 ? err_sys(e, STEP_IMAGE, digest) : err_num(e, STEP_IMAGE, digest, EIO);
		TRY(sink_write(s, block, (size_t)n, e));
		done += (uint64_t)n;
	}
	return 0;
}

/* 0 with a sink that got all its bytes and is to be finished, or with none when the depot had it. */
static int start_blob(struct depot *d, const struct piece *p, const struct sink_want *want, struct sink **ret, struct nook_error *e)
{
	AUTO(sink_close) struct sink *s = NULL;
	int r;

	while ((r = TRY(sink_open(d, want, &s, e))) == SINK_BUSY)
		TRY(sink_wait(d, want->digest, e));
	if (r == SINK_PRESENT)
		return 0;
	TRY(copy_piece(s, p, want->digest, e));
	*ret = take_ptr(&s);
	return 0;
}

static int settle(struct sink **slot, struct nook_error *e)
{
	AUTO(sink_close) struct sink *s = take_ptr(slot);

	return s ? sink_finish(s, e) : 0;
}

static int settle_all(struct intake *in, struct nook_error *e)
{
	for (size_t i = 0; i < LAYERS_AT_ONCE; i++)
		TRY(settle(&in->running[i], e));
	return 0;
}

static void abandon(struct intake *in)
{
	for (size_t i = 0; i < LAYERS_AT_ONCE; i++)
		sink_close(take_ptr(&in->running[i]));
}

/* The same layer twice in an image must not wait for itself. */
static int add_layer(struct intake *in, size_t nth, const struct piece *p, const struct sink_want *want, struct nook_error *e)
{
	struct sink **slot = &in->running[nth % LAYERS_AT_ONCE];
	struct sink *s = NULL;
	int r;

	TRY(settle(slot, e));
	r = TRY(sink_open(in->depot, want, &s, e));
	if (r == SINK_BUSY) {
		TRY(settle_all(in, e));
		return start_blob(in->depot, p, want, slot, e);
	}
	if (r == SINK_PRESENT)
		return 0;
	*slot = s;
	return copy_piece(s, p, want->digest, e);
}

static int arrived(struct intake *in, const char *name, const char *manifest, const char *id, struct nook_error *e)
{
	TRY(image_commit(in->depot, name, manifest, NULL, e));
	*arena_push(in->arena, &in->arrivals, &in->n_arrivals) = (struct arrival){.manifest = manifest, .id = id, .name = name};
	return 0;
}

/* ---- OCI layouts ----------------------------------------------------------------------------------------------------- */

static int load_document(struct intake *in, const struct descriptor *d, const char **ret_text, struct image_document *ret,
	struct nook_error *e)
{
	AUTO_VALUE(piece_done) struct piece p = {.fd = -EBADF};

	TRY(source_blob(in->source, d->digest, &p, e));
	TRY(piece_text(&p, MANIFEST_BYTES_MAX, d->digest, in->arena, ret_text, e));
	return image_document_parse(*ret_text, p.size, d->media_type[0] ? d->media_type : NULL, d->digest, in->arena, ret, e);
}

static int take_blob(struct intake *in, const struct descriptor *d, struct nook_error *e)
{
	AUTO_VALUE(piece_done) struct piece p = {.fd = -EBADF};
	AUTO(sink_close) struct sink *s = NULL;

	TRY(source_blob(in->source, d->digest, &p, e));
	TRY(start_blob(in->depot, &p, &(struct sink_want){.digest = d->digest, .size = d->size}, &s, e));
	return s ? sink_finish(s, e) : 0;
}

static int take_layers(struct intake *in, const struct manifest *m, const struct image_config *c, struct nook_error *e)
{
	for (size_t i = 0; i < m->n_layers; i++) {
		AUTO_VALUE(piece_done) struct piece p = {.fd = -EBADF};
		const struct sink_want want = {m->layers[i].digest, m->layers[i].size, c->diff_ids[i]};

		TRY(source_blob(in->source, want.digest, &p, e));
		TRY(add_layer(in, i, &p, &want, e));
	}
	return settle_all(in, e);
}

static int take_manifest(struct intake *in, const struct descriptor *d, const struct manifest *m, const char *text,
	const char *name, struct nook_error *e)
{
	AUTO_VALUE(piece_done) struct piece p = {.fd = -EBADF};
	struct image_config config;
	const char *config_text;

	TRY(manifest_check_image(m, d->digest, e));
	TRY(blob_add(in->depot, text, strlen(text), d->digest, in->arena, NULL, e));
	TRY(take_blob(in, &m->config, e));
	TRY(source_blob(in->source, m->config.digest, &p, e));
	TRY(piece_text(&p, CONFIG_BYTES_MAX, m->config.digest, in->arena, &config_text, e));
	TRY(image_config_parse(config_text, p.size, m->n_layers, d->digest, in->arena, &config, e));
	TRY(take_layers(in, m, &config, e));
	return arrived(in, name, d->digest, m->config.digest, e);
}

/* Down through indexes to a manifest. */
static int take_descriptor(struct intake *in, const struct descriptor *d, const char *name, struct nook_error *e)
{
	struct image_document document;
	const char *text;

	for (int depth = 0; depth < INDEX_DEPTH_MAX; depth++) {
		TRY(load_document(in, d, &text, &document, e));
		if (!document.is_index)
			return take_manifest(in, d, &document.manifest, text, name, e);
		TRY(image_index_select(&document.index, in->platform, in->source->what, in->arena, &d, e));
	}
	return err_why(e, STEP_IMAGE, in->source->what, EINVAL, "its indexes are nested too deeply");
}

static const char *annotation(const struct descriptor *d, const char *key)
{
	for (size_t i = 0; i < d->n_annotations; i++)
		if (text_is(d->annotations[i].key, key))
			return d->annotations[i].value;
	return NULL;
}

/* What a file calls an image of this digest.  Another digest in the name would be believed by whoever runs the image by it: it is
 * left out, and with it a name that has no tag. */
static const char *honest_name(struct intake *in, const struct reference *said, const char *digest)
{
	struct reference r = *said;

	if (r.digest && !text_is(r.digest, digest))
		r.digest = NULL;
	return r.digest || r.tag ? reference_text(&r, in->arena) : NULL;
}

/* What the layout calls the image, when that is a whole name and not only a tag. */
static const char *descriptor_name(struct intake *in, const struct descriptor *d)
{
	const char *full = annotation(d, "io.containerd.image.name"), *ref = annotation(d, "org.opencontainers.image.ref.name");
	struct reference r;

	if (!full && ref && strpbrk(ref, "/:"))
		full = ref;
	return full && reference_parse(full, in->arena, &r, NULL) == 0 ? honest_name(in, &r, d->digest) : NULL;
}

static bool is_chosen(const struct intake *in, const struct descriptor *d)
{
	const char *ref = annotation(d, "org.opencontainers.image.ref.name");

	return !in->source->tag || (ref && text_is(ref, in->source->tag));
}

static int take_layout(struct intake *in, const char *name, struct nook_error *e)
{
	AUTO_VALUE(piece_done) struct piece p = {.fd = -EBADF};
	struct image_document document;
	size_t chosen = 0;
	const char *text;

	TRY(source_piece(in->source, "index.json", &p, e));
	TRY(piece_text(&p, MANIFEST_BYTES_MAX, "index.json", in->arena, &text, e));
	TRY(image_document_parse(text, p.size, media_oci_index, "index.json", in->arena, &document, e));
	for (size_t i = 0; i < document.index.n_manifests; i++)
		chosen += is_chosen(in, &document.index.manifests[i]);
	if (!chosen)
		return err_why(e, STEP_IMAGE, in->source->what, ENOENT, "holds no such image");
	if (name && chosen > 1)
		return err_fmt(e, STEP_OPTION, "--name", EINVAL, "%zu images are in %s: say which as oci:DIR:TAG", chosen, in->source->what);
	for (size_t i = 0; i < document.index.n_manifests; i++) {
		const struct descriptor *d = &document.index.manifests[i];

		if (is_chosen(in, d))
			TRY(take_descriptor(in, d, name ? name : descriptor_name(in, d), e));
	}
	return 0;
}

/* ---- docker save ----------------------------------------------------------------------------------------------------- */

struct docker_image {
	const char *config;
	const char *const *tags, *const *layers;
	size_t n_tags, n_layers;
};

static const struct bind docker_table[] = {
	{AT(struct docker_image, config), BIND_STRING, "Config", .flags = BIND_REQUIRED},
	{LIST(struct docker_image, tags, n_tags), BIND_STRINGS, "RepoTags"},
	{LIST(struct docker_image, layers, n_layers), BIND_STRINGS, "Layers", .flags = BIND_REQUIRED},
	{0},
};

static int docker_piece(struct intake *in, const char *name, struct piece *ret, struct nook_error *e)
{
	int r = source_piece(in->source, name, ret, e);

	return r == -ENOENT ? err_fmt(e, STEP_IMAGE, name, ENOENT, "manifest.json names it, but it is not in the archive") : r;
}

static int hash_piece(const struct piece *p, char ret[static DIGEST_TEXT_MAX], struct nook_error *e)
{
	AUTO(hash_free) struct hash *h = hash_new(DIGEST_SHA256);
	auto_free char *block = xcalloc(1, COPY_BLOCK);

	for (uint64_t done = 0; done < p->size;) {
		const size_t want = p->size - done < COPY_BLOCK ? (size_t)(p->size - done) : COPY_BLOCK;
		ssize_t n = pread(p->fd, block, want, (off_t)(p->at + done));

		if (n <= 0)
			return n < 0 ? err_sys(e, STEP_IMAGE, "layer") : err_num(e, STEP_IMAGE, "layer", EIO);
		hash_add(h, block, (size_t)n);
		done += (uint64_t)n;
	}
	hash_end(h, ret);
	return 0;
}

/* A layer is a plain tar as a rule: then its digest is its DiffID. */
static int describe_layer(const struct piece *p, const char *diff_id, struct arena *a, struct descriptor *ret, struct nook_error *e)
{
	unsigned char magic[4] = {0};
	enum compression compression = COMPRESSION_NONE;
	char digest[DIGEST_TEXT_MAX];

	(void)pread(p->fd, magic, p->size < sizeof(magic) ? p->size : sizeof(magic), (off_t)p->at);
	if (magic[0] == 0x1f && magic[1] == 0x8b)
		compression = COMPRESSION_GZIP;
	else if (memcmp(magic, "\x28\xb5\x2f\xfd", 4) == 0)
		compression = COMPRESSION_ZSTD;
	*ret = (struct descriptor){.media_type = media_layer_type(compression), .digest = diff_id, .size = p->size};
	if (compression == COMPRESSION_NONE)
		return 0;
	TRY(hash_piece(p, digest, e));
	ret->digest = arena_strdup(a, digest);
	return 0;
}

static int docker_layers(struct intake *in, const struct docker_image *image, const struct image_config *c, struct manifest *m,
	struct nook_error *e)
{
	m->n_layers = image->n_layers;
	m->layers = arena_new_n(in->arena, struct descriptor, image->n_layers + 1);
	for (size_t i = 0; i < image->n_layers; i++) {
		AUTO_VALUE(piece_done) struct piece p = {.fd = -EBADF};

		TRY(docker_piece(in, image->layers[i], &p, e));
		TRY(describe_layer(&p, c->diff_ids[i], in->arena, &m->layers[i], e));
		TRY(add_layer(in, i, &p, &(struct sink_want){m->layers[i].digest, p.size, c->diff_ids[i]}, e));
	}
	return settle_all(in, e);
}

/* The digest that "abc...def.json" or "blobs/sha256/abc...def" promises; NULL: none. */
static const char *promised_digest(const char *name, struct arena *a)
{
	const char *slash = strrchr(name, '/'), *last = slash ? slash + 1 : name;

	for (size_t i = 0; i < DIGEST_ALGORITHMS; i++) {
		const char *digest = arena_printf(a, "%s:%.*s", digest_names[i], (int)strcspn(last, "."), last);

		if (digest_is_valid(digest))
			return digest;
	}
	return NULL;
}

static int take_docker_image(struct intake *in, const struct docker_image *image, const char *name, struct nook_error *e)
{
	AUTO_VALUE(piece_done) struct piece p = {.fd = -EBADF};
	struct manifest m = {0};
	struct image_config c;
	const char *text, *digest = NULL;

	if (image->n_layers > IMAGE_LAYERS_MAX)
		return err_fmt(e, STEP_IMAGE, in->source->what, E2BIG, "has %zu layers", image->n_layers);
	TRY(docker_piece(in, image->config, &p, e));
	TRY(piece_text(&p, CONFIG_BYTES_MAX, image->config, in->arena, &text, e));
	TRY(image_config_parse(text, p.size, image->n_layers, image->config, in->arena, &c, e));
	m.config = (struct descriptor){.media_type = media_oci_config, .size = p.size};
	TRY(blob_add(in->depot, text, p.size, promised_digest(image->config, in->arena), in->arena, &m.config.digest, e));
	TRY(docker_layers(in, image, &c, &m, e));
	text = manifest_text(&m, in->arena);
	TRY(blob_add(in->depot, text, strlen(text), NULL, in->arena, &digest, e));
	if (name || !image->n_tags)
		return arrived(in, name, digest, m.config.digest, e);
	for (size_t i = 0; i < image->n_tags; i++) {
		struct reference r;

		TRY(reference_parse(image->tags[i], in->arena, &r, e));
		TRY(arrived(in, honest_name(in, &r, digest), digest, m.config.digest, e));
	}
	return 0;
}

static bool has_tag(const struct docker_image *image, const char *tag)
{
	for (size_t i = 0; i < image->n_tags; i++)
		if (text_is(image->tags[i], tag))
			return true;
	return false;
}

static int take_docker(struct intake *in, const char *name, struct nook_error *e)
{
	AUTO_VALUE(piece_done) struct piece p = {.fd = -EBADF};
	AUTO(json_free) struct json *root = NULL;
	const char *tag = in->source->tag, *text;
	size_t n, taken = 0;

	TRY(source_piece(in->source, "manifest.json", &p, e));
	TRY(piece_text(&p, MANIFEST_BYTES_MAX, "manifest.json", in->arena, &text, e));
	TRY(json_parse(text, p.size, "manifest.json", STEP_IMAGE, &root, e));
	if (!json_is(root, JSON_ARRAY))
		return err_why(e, STEP_IMAGE, "manifest.json", EINVAL, "is no list of images");
	n = json_length(root);
	if (n > DOCKER_IMAGES_MAX || (name && n > 1 && !tag))
		return err_fmt(e, STEP_IMAGE, in->source->what, EINVAL, "holds %zu images", n);
	for (size_t i = 0; i < n; i++) {
		struct docker_image image = {0};

		TRY(bind_read(json_at(root, i), docker_table, &image, in->arena, "manifest.json", STEP_IMAGE, e));
		if (tag && !has_tag(&image, tag))
			continue;
		TRY(take_docker_image(in, &image, name, e));
		taken++;
	}
	return taken ? 0 : err_why(e, STEP_IMAGE, in->source->what, ENOENT, "holds no such image");
}

/* ---- public ---------------------------------------------------------------------------------------------------------- */

int intake_all(struct depot *d, const struct source *s, const struct platform *platform, const char *name, struct arena *a,
	struct arrival **ret, size_t *ret_n, struct nook_error *e)
{
	struct intake in = {.depot = d, .source = s, .platform = platform, .arena = a};
	const struct descriptor flat = {.media_type = "", .digest = s->flat};
	int r = s->flat ? take_descriptor(&in, &flat, name, e) : s->is_layout ? take_layout(&in, name, e) : take_docker(&in, name, e);

	abandon(&in);
	*ret = in.arrivals;
	*ret_n = in.n_arrivals;
	return r;
}
