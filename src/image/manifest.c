/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "image/manifest.h"

#include "image/digest.h"
#include "json/bind.h"

/* ---- tables -------------------------------------------------------------------------------------------------------- */

static const struct bind platform_table[] = {
	{AT(struct platform, architecture), BIND_STRING, "architecture"},
	{AT(struct platform, os), BIND_STRING, "os"},
	{AT(struct platform, os_version), BIND_STRING, "os.version"},
	{AT(struct platform, os_features), BIND_STRINGS, "os.features"},
	{AT(struct platform, variant), BIND_STRING, "variant"},
	{0},
};

static const struct bind descriptor_table[] = {
	{AT(struct descriptor, media_type), BIND_STRING, "mediaType"},
	{AT(struct descriptor, digest), BIND_STRING, "digest", .flags = BIND_REQUIRED},
	{AT(struct descriptor, size), BIND_UINT, "size", .flags = BIND_REQUIRED},
	{AT(struct descriptor, urls), BIND_STRINGS, "urls"},
	{LIST(struct descriptor, annotations, n_annotations), BIND_MAP, "annotations"},
	{HAS(struct descriptor, platform, has_platform), BIND_STRUCT, "platform", .table = platform_table},
	{AT(struct descriptor, artifact_type), BIND_STRING, "artifactType"},
	{0},
};

static const struct bind manifest_table[] = {
	{AT(struct manifest, artifact_type), BIND_STRING, "artifactType"},
	{AT(struct manifest, config), BIND_STRUCT, "config", .table = descriptor_table, .flags = BIND_REQUIRED},
	{LIST(struct manifest, layers, n_layers), BIND_ARRAY, "layers", .table = descriptor_table, .flags = BIND_ALWAYS},
	{HAS(struct manifest, subject, has_subject), BIND_STRUCT, "subject", .table = descriptor_table},
	{LIST(struct manifest, annotations, n_annotations), BIND_MAP, "annotations"},
	{0},
};

static const struct bind image_index_table[] = {
	{AT(struct image_index, artifact_type), BIND_STRING, "artifactType"},
	{LIST(struct image_index, manifests, n_manifests), BIND_ARRAY, "manifests", .table = descriptor_table, .flags = BIND_ALWAYS},
	{HAS(struct image_index, subject, has_subject), BIND_STRUCT, "subject", .table = descriptor_table},
	{LIST(struct image_index, annotations, n_annotations), BIND_MAP, "annotations"},
	{0},
};

/* What tells the documents apart. */
struct head {
	struct opt_i64 schema;
	const char *media_type;
};

static const struct bind head_table[] = {
	{AT(struct head, schema), BIND_OPT_INT, "schemaVersion"},
	{AT(struct head, media_type), BIND_STRING, "mediaType"},
	{0},
};

/* ---- checks -------------------------------------------------------------------------------------------------------- */

static int refuse(const char *name, struct nook_error *e, const char *why)
{
	return err_why(e, STEP_IMAGE, name, EINVAL, why);
}

static int check_descriptor(struct descriptor *d, const char *what, size_t nth, const char *name,
	struct nook_error *e)
{
	if (!d->media_type)
		d->media_type = "";
	if (!digest_is_valid(d->digest))
		return err_fmt(e, STEP_IMAGE, name, EINVAL, "%s %zu has no digest that can be trusted: \"%.80s\"", what, nth, d->digest);
	if (d->size > INT64_MAX)
		return err_fmt(e, STEP_IMAGE, name, EINVAL, "%s %zu has a size beyond all bounds", what, nth);
	return 0;
}

static int check_descriptors(struct descriptor *list, size_t n, size_t most, const char *what,
	const char *name, struct nook_error *e)
{
	if (n > most)
		return err_fmt(e, STEP_IMAGE, name, E2BIG, "has %zu %ss, but at most %zu are taken", n, what, most);
	for (size_t i = 0; i < n; i++)
		TRY(check_descriptor(&list[i], what, i + 1, name, e));
	return 0;
}

static int parse_manifest(struct json *root, const char *name, struct arena *a, struct manifest *m, struct nook_error *e)
{
	TRY(bind_read(root, manifest_table, m, a, NULL, STEP_IMAGE, e));
	TRY(check_descriptor(&m->config, "config", 1, name, e));
	if (m->has_subject)
		TRY(check_descriptor(&m->subject, "subject", 1, name, e));
	return check_descriptors(m->layers, m->n_layers, IMAGE_LAYERS_MAX, "layer", name, e);
}

static int parse_index(struct json *root, const char *name, struct arena *a, struct image_index *index, struct nook_error *e)
{
	TRY(bind_read(root, image_index_table, index, a, NULL, STEP_IMAGE, e));
	if (index->has_subject)
		TRY(check_descriptor(&index->subject, "subject", 1, name, e));
	return check_descriptors(index->manifests, index->n_manifests, INDEX_ENTRIES_MAX, "manifest", name, e);
}

/* Both said, both must say the same: a registry that serves a manifest as an index is how the two get confused. */
static int choose_media(const struct head *head, const char *content_type, bool has_layers, bool has_manifests,
	const char *name, const struct media **ret, struct nook_error *e)
{
	const struct media *body = media_find(head->media_type ? head->media_type : ""), *sent = media_find(content_type ? content_type : "");
	const struct media *media = body;

	if (head->media_type && body->kind != MEDIA_INDEX && body->kind != MEDIA_MANIFEST)
		return err_fmt(e, STEP_IMAGE, name, EINVAL, "is neither manifest nor index but \"%.100s\"", head->media_type);
	if (head->media_type && sent->kind != MEDIA_UNKNOWN && sent != body)
		return err_fmt(e, STEP_IMAGE, name, EINVAL, "calls itself %s, but was sent as %s", body->type, sent->type);
	if (!head->media_type)
		media = sent->kind == MEDIA_INDEX || sent->kind == MEDIA_MANIFEST ? sent
			: media_find(has_manifests ? media_oci_index : media_oci_manifest);
	if (media->kind == MEDIA_INDEX ? has_layers || !has_manifests : has_manifests || !has_layers)
		return err_fmt(e, STEP_IMAGE, name, EINVAL, "calls itself %s and is none", media->type);
	*ret = media;
	return 0;
}

int image_document_parse(const char *text, size_t len, const char *content_type, const char *name, struct arena *a,
	struct image_document *ret, struct nook_error *e)
{
	AUTO(json_free) struct json *root = NULL;
	struct image_document d = {0};
	const struct media *media = media_find("");
	struct head head = {0};
	bool has_layers, has_manifests;

	if (len > MANIFEST_BYTES_MAX)
		return err_fmt(e, STEP_IMAGE, name, EFBIG, "has a manifest of %zu bytes, but at most %d are read", len, MANIFEST_BYTES_MAX);
	if (content_type && media_find(content_type)->kind == MEDIA_SCHEMA1)
		return refuse(name, e, "has only a manifest of schema 1, which cannot be verified: it has to be pushed anew");
	TRY(json_parse(text, len, name, STEP_IMAGE, &root, e));
	TRY(bind_read(root, head_table, &head, a, NULL, STEP_IMAGE, e));
	has_layers = json_find(root, "layers", NULL) || json_find(root, "config", NULL);
	has_manifests = json_find(root, "manifests", NULL);
	if (json_find(root, "fsLayers", NULL) || (head.schema.set && head.schema.value == 1))
		return refuse(name, e, "has only a manifest of schema 1, which cannot be verified: it has to be pushed anew");
	if (head.schema.set && head.schema.value != 2)
		return err_fmt(e, STEP_IMAGE, name, EINVAL, "has schema version %lld, which is unknown", (long long)head.schema.value);
	if (has_layers && has_manifests)
		return refuse(name, e, "is manifest and index at once (\"layers\" and \"manifests\")");
	TRY(choose_media(&head, content_type, has_layers, has_manifests, name, &media, e));
	d.media_type = media->type;
	d.is_index = media->kind == MEDIA_INDEX;
	if (d.is_index)
		TRY(parse_index(root, name, a, &d.index, e));
	else
		TRY(parse_manifest(root, name, a, &d.manifest, e));
	*ret = d;
	return 0;
}

int manifest_check_image(const struct manifest *m, const char *name, struct nook_error *e)
{
	if (media_find(m->config.media_type)->kind != MEDIA_CONFIG)
		return err_fmt(e, STEP_IMAGE, name, EINVAL, "is an artifact (%.100s) and no image that could be run",
			m->artifact_type ? m->artifact_type : m->config.media_type);
	if (m->config.size > CONFIG_BYTES_MAX)
		return err_fmt(e, STEP_IMAGE, name, EFBIG, "has a config of %llu bytes", (unsigned long long)m->config.size);
	for (size_t i = 0; i < m->n_layers; i++)
		if (media_find(m->layers[i].media_type)->kind != MEDIA_LAYER)
			return err_fmt(e, STEP_IMAGE, name, EINVAL, "layer %zu is \"%.100s\", which is no layer that is known", i + 1,
				m->layers[i].media_type);
	return 0;
}

/* ---- platforms ----------------------------------------------------------------------------------------------------- */

static void list_platforms(const struct image_index *index, struct arena *a, struct buf *text)
{
	for (size_t i = 0; i < index->n_manifests; i++) {
		const struct descriptor *d = &index->manifests[i];

		if (d->has_platform && !platform_is_unknown(&d->platform))
			buf_addf(text, "%s%s", text->len ? ", " : "", platform_text(&d->platform, a));
	}
}

int image_index_select(const struct image_index *index, const struct platform *wanted, const char *name, struct arena *a,
	const struct descriptor **ret, struct nook_error *e)
{
	AUTO_VALUE(buf_done) struct buf there = {0};
	const struct descriptor *best = NULL, *bare = NULL;
	int best_score = 0;

	for (size_t i = 0; i < index->n_manifests; i++) {
		const struct descriptor *d = &index->manifests[i];
		const enum media_kind kind = media_find(d->media_type)->kind;
		const int score = d->has_platform ? platform_score(wanted, &d->platform) : 0;

		if (kind != MEDIA_MANIFEST && kind != MEDIA_INDEX)
			continue;
		if (score > best_score) {
			best_score = score;
			best = d;
		}
		if (!d->has_platform && !bare)
			bare = d;
	}
	/* One without a platform says in its config for what it is. */
	if (!best)
		best = bare;
	if (best) {
		*ret = best;
		return 0;
	}
	list_platforms(index, a, &there);
	return err_fmt(e, STEP_IMAGE, name, ENOENT, "is not made for %s; there is: %.150s", platform_text(wanted, a),
		there.len ? there.data : "nothing");
}

/* ---- writing ------------------------------------------------------------------------------------------------------- */


static const char *document_text(const char *media_type, const struct bind *table, const void *object, struct arena *a)
{
	AUTO_VALUE(buf_done) struct buf text = {0};
	struct json_out o = {.text = &text};

	json_out_object(&o, NULL);
	json_out_i64(&o, "schemaVersion", 2);
	json_out_string(&o, "mediaType", media_type);
	bind_write_table(&o, table, object);
	json_out_object_end(&o);
	return arena_strndup(a, buf_text(&text), text.len);
}

const char *manifest_text(const struct manifest *m, struct arena *a)
{
	return document_text(media_oci_manifest, manifest_table, m, a);
}

const char *image_index_text(const struct image_index *index, struct arena *a)
{
	return document_text(media_oci_index, image_index_table, index, a);
}
