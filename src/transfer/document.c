/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "transfer/document.h"

#include "base/text.h"
#include "storage/hash.h"

#include <string.h>

static const char *accept_line(struct arena *a)
{
	AUTO_VALUE(buf_done) struct buf line = {0};

	buf_adds(&line, "Accept: ");
	for (const char *const *type = media_accepted; *type; type++)
		buf_addf(&line, "%s%s", type == media_accepted ? "" : ", ", *type);
	return arena_strdup(a, buf_text(&line));
}

static const char *digest_of(const char *text, size_t len, enum digest_algorithm algorithm, struct arena *a)
{
	AUTO(hash_free) struct hash *h = hash_new(algorithm);
	char digest[DIGEST_TEXT_MAX];

	hash_add(h, text, len);
	hash_end(h, digest);
	return arena_strdup(a, digest);
}

/* What the text must hash to: what was asked for, else what the registry says, else nothing. */
static int expected_digest(const struct http_reply *reply, const char *reference, const char *name, struct arena *a, const char **ret,
	struct nook_error *e)
{
	const char *promised = http_header(reply, "Docker-Content-Digest");

	*ret = NULL;
	if (strchr(reference, ':')) {
		*ret = reference;
	} else if (promised && *promised) {
		if (!digest_is_valid(promised))
			return err_fmt(e, STEP_REGISTRY, name, EBADMSG, "the registry sends a digest that is none: %.80s", promised);
		*ret = arena_strdup(a, promised);
	}
	return 0;
}

static int check(struct document *d, const char *expected, uint64_t size, const char *name, struct arena *a, struct nook_error *e)
{
	d->digest = digest_of(d->text, d->len, expected ? digest_algorithm(expected) : DIGEST_SHA256, a);
	if (size && d->len != size)
		return err_fmt(e, STEP_REGISTRY, name, EBADMSG, "the manifest has %zu bytes, and not the %llu that are promised", d->len,
			(unsigned long long)size);
	if (expected && !text_is(d->digest, expected))
		return err_fmt(e, STEP_REGISTRY, name, EBADMSG, "the manifest's digest is %s, and not %s", d->digest, expected);
	return 0;
}

int document_fetch(struct remote *r, const char *reference, uint64_t size, struct arena *a, struct document *ret, struct nook_error *e)
{
	const char *const headers[] = {accept_line(a), NULL};
	const char *path = arena_printf(a, "manifests/%s", reference), *expected = NULL, *type;
	const char *name = arena_printf(a, "%s%s%s", remote_name(r), strchr(reference, ':') ? "@" : ":", reference);
	AUTO(http_close) struct http_reply *reply = NULL;
	AUTO_VALUE(buf_done) struct buf body = {0};
	struct document d = {0};

	TRY(remote_open(r, &(struct remote_call){.path = path, .headers = headers}, &reply, e));
	TRY(expected_digest(reply, reference, name, a, &expected, e));
	type = http_header(reply, "Content-Type");
	TRY(http_read_all(reply, MANIFEST_BYTES_MAX, &body, e));
	d.text = arena_memdup(a, buf_text(&body), body.len + 1);
	d.len = body.len;
	d.content_type = type ? arena_strdup(a, type) : NULL;
	TRY(check(&d, expected, size, name, a, e));
	TRY(image_document_parse(d.text, d.len, d.content_type, name, a, &d.parsed, e));
	*ret = d;
	return 0;
}

int document_head(struct remote *r, const char *reference, struct arena *a, const char **ret, struct nook_error *e)
{
	static const unsigned fine[] = {404, 405, 0};
	const char *const headers[] = {accept_line(a), NULL};
	const char *path = arena_printf(a, "manifests/%s", reference), *digest;
	AUTO(http_close) struct http_reply *reply = NULL;

	TRY(remote_open(r, &(struct remote_call){.method = "HEAD", .path = path, .headers = headers, .fine = fine}, &reply, e));
	digest = http_header(reply, "Docker-Content-Digest");
	if (http_status(reply) != 200 || !digest_is_valid(digest))
		return 1;
	*ret = arena_strdup(a, digest);
	return 0;
}

int document_descend(struct remote *r, const struct platform *wanted, struct arena *a, struct document *d, struct nook_error *e)
{
	for (int depth = 0; d->parsed.is_index; depth++) {
		const struct descriptor *chosen = NULL;

		if (depth == INDEX_DEPTH_MAX)
			return err_why(e, STEP_REGISTRY, remote_name(r), EINVAL, "its indexes are nested too deeply");
		TRY(image_index_select(&d->parsed.index, wanted, remote_name(r), a, &chosen, e));
		TRY(document_fetch(r, chosen->digest, chosen->size, a, d, e));
	}
	return 0;
}

int document_referrers(struct remote *r, const char *digest, struct arena *a, struct document *ret, struct nook_error *e)
{
	static const unsigned fine[] = {400, 404, 405, 0};
	const char *const headers[] = {accept_line(a), NULL};
	const char *path = arena_printf(a, "referrers/%s", digest);
	AUTO(http_close) struct http_reply *reply = NULL;
	AUTO_VALUE(buf_done) struct buf body = {0};
	struct document d = {0};

	TRY(remote_open(r, &(struct remote_call){.path = path, .headers = headers, .fine = fine}, &reply, e));
	if (http_status(reply) != 200) /* a registry before 1.1 */
		return document_fetch(r, digest_referrers_tag(digest, a), 0, a, ret, e);
	TRY(http_read_all(reply, MANIFEST_BYTES_MAX, &body, e));
	d.text = arena_memdup(a, buf_text(&body), body.len + 1);
	d.len = body.len;
	TRY(image_document_parse(d.text, d.len, http_header(reply, "Content-Type"), remote_name(r), a, &d.parsed, e));
	*ret = d;
	return 0;
}
