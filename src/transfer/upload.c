/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A session of the registry's: POST opens it (or mounts the blob from another repository, 201), each reply's Location says
 * where the next request goes, PATCH brings bytes, PUT with the digest closes it.  A blob goes in one PATCH, in pieces where
 * the registry names a least size or the user a size; one that was cut off goes on where the registry says it is.
 */
#include "transfer/upload.h"

#include "base/text.h"
#include "http/url.h"
#include "image/digest.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SMALL = 4 << 20, CUTS_MAX = 100, PAUSE_MS = 250 };

struct session {
	struct remote *remote;
	const struct upload *upload;
	struct progress_row *row;
	char *location;     /* of the next request */
	uint64_t at;        /* bytes that the registry has */
	uint64_t chunk;     /* 0: all the rest at once */
};

static void session_done(struct session *s)
{
	free(take_ptr(&s->location));
}

static void on_sent(void *context, uint64_t bytes)
{
	struct session *s = context;

	s->row->at = s->at + bytes;
}

static int take_location(struct session *s, const struct http_reply *reply, struct nook_error *e)
{
	const char *location = http_header(reply, "Location");
	char *whole = location ? url_resolve(http_url(reply), location) : NULL;

	if (!whole)
		return err_why(e, STEP_REGISTRY, remote_name(s->remote), EPROTO, "the registry does not say where the upload goes on");
	free(s->location);
	s->location = whole;
	return 0;
}

/* ---- opening -------------------------------------------------------------------------------------------------------- */

/* 1: the registry has it already. */
static int is_present(struct session *s, struct nook_error *e)
{
	static const unsigned fine[] = {404, 0};
	char path[DIGEST_TEXT_MAX + 8];
	AUTO(http_close) struct http_reply *reply = NULL;

	(void)snprintf(path, sizeof(path), "blobs/%s", s->upload->digest);
	TRY(remote_open(s->remote, &(struct remote_call){.method = "HEAD", .path = path, .fine = fine}, &reply, e));
	return http_status(reply) == 200;
}

/* 1: mounted; 0: an upload is open instead. */
static int mount_from(struct session *s, const char *repository, struct nook_error *e)
{
	auto_free char *escaped = url_escape(repository);
	auto_free char *path = xasprintf("blobs/uploads/?mount=%s&from=%s", s->upload->digest, escaped);
	auto_free char *scope = xasprintf("repository:%s:pull", repository);
	AUTO(http_close) struct http_reply *reply = NULL;

	TRY(remote_open(s->remote, &(struct remote_call){.method = "POST", .path = path, .scope = scope}, &reply, e));
	if (http_status(reply) == 201)
		return 1;
	return take_location(s, reply, e);
}

static int start(struct session *s, struct nook_error *e)
{
	AUTO(http_close) struct http_reply *reply = NULL;
	uint64_t least = 0;
	const char *text;

	TRY(remote_open(s->remote, &(struct remote_call){.method = "POST", .path = "blobs/uploads/"}, &reply, e));
	if (http_status(reply) != 202)
		return err_fmt(e, STEP_REGISTRY, remote_name(s->remote), EPROTO, "the registry answers HTTP %u to an upload", http_status(reply));
	s->at = 0;
	s->chunk = s->upload->chunk_size;
	text = http_header(reply, "OCI-Chunk-Min-Length");
	if (text && text_u64(text, &least) == 0 && s->chunk && s->chunk < least)
		s->chunk = least;
	return take_location(s, reply, e);
}

/* ---- bytes ---------------------------------------------------------------------------------------------------------- */

/* "0-99": how many bytes there are; a registry with none says 0-0. */
static uint64_t received(const struct http_reply *reply, uint64_t otherwise)
{
	const char *text = http_header(reply, "Range");
	unsigned long long first = 0, last = 0;

	if (!text || sscanf(text, "%llu-%llu", &first, &last) != 2 || first != 0)
		return otherwise;
	return last ? (uint64_t)last + 1 : 0;
}

static int send_piece(struct session *s, struct nook_error *e)
{
	uint64_t left = s->upload->size - s->at, len = s->chunk && s->chunk < left ? s->chunk : left;
	char range[64];
	const char *const headers[] = {"Content-Type: application/octet-stream", s->at || len < left ? range : NULL, NULL};
	AUTO(http_close) struct http_reply *reply = NULL;
	const struct remote_call call = {
		.method = "PATCH", .path = s->location, .headers = headers, .body_fd = s->upload->fd, .body_offset = s->at, .body_len = len,
		.sent = on_sent, .context = s, .is_once = true,
	};
	uint64_t now;

	(void)snprintf(range, sizeof(range), "Content-Range: %llu-%llu", (unsigned long long)s->at, (unsigned long long)(s->at + len - 1));
	TRY(remote_open(s->remote, &call, &reply, e));
	TRY(take_location(s, reply, e));
	now = received(reply, s->at + len);
	if (now <= s->at || now > s->at + len)
		return err_fmt(e, STEP_REGISTRY, s->upload->digest, EPROTO, "the registry has %llu bytes after %llu were sent",
			(unsigned long long)now, (unsigned long long)(s->at + len));
	s->at = now;
	return 0;
}

/* After a cut: how far the registry got.  1: it does not know the session any more. */
static int ask_where(struct session *s, struct nook_error *e)
{
	static const unsigned fine[] = {400, 404, 405, 0};
	AUTO(http_close) struct http_reply *reply = NULL;
	uint64_t now;

	TRY(remote_open(s->remote, &(struct remote_call){.path = s->location, .fine = fine}, &reply, e));
	if (http_status(reply) >= 400)
		return 1;
	now = received(reply, 0);
	if (now > s->upload->size)
		return 1;
	s->at = now;
	if (http_header(reply, "Location"))
		TRY(take_location(s, reply, e));
	return 0;
}

static int send_all(struct session *s, struct nook_error *e)
{
	unsigned idle = 0;

	for (int cuts = 0; s->at < s->upload->size; cuts++) {
		uint64_t before = s->at;
		int r = send_piece(s, e);

		if (r == 0)
			continue;
		if ((!http_may_pass(r) && r != -ERANGE) || cuts >= CUTS_MAX || idle >= s->upload->tries)
			return r;
		TRY(remote_wait(s->remote, (int64_t)PAUSE_MS << (idle < 6 ? idle : 6), e));
		if (TRY(ask_where(s, e)) == 1)
			TRY(start(s, e));
		idle = s->at > before ? 0 : idle + 1;
	}
	return 0;
}

/* The end, with the whole body when it is small. */
static int finish(struct session *s, struct nook_error *e)
{
	static const char *const headers[] = {"Content-Type: application/octet-stream", NULL};
	auto_free char *escaped = url_escape(s->upload->digest);
	auto_free char *path = xasprintf("%s%sdigest=%s", s->location, strchr(s->location, '?') ? "&" : "?", escaped);
	AUTO(http_close) struct http_reply *reply = NULL;
	const struct remote_call call = {
		.method = "PUT", .path = path, .headers = headers, .body_fd = s->upload->fd, .body_offset = s->at,
		.body_len = s->upload->size - s->at, .sent = on_sent, .context = s, .is_once = true,
	};

	s->row->state = s->at == s->upload->size ? PROGRESS_FINISHING : PROGRESS_MOVING;
	TRY(remote_open(s->remote, &call, &reply, e));
	if (http_status(reply) != 201 && http_status(reply) != 204)
		return err_fmt(e, STEP_REGISTRY, s->upload->digest, EPROTO, "the registry answers HTTP %u to the end of an upload", http_status(reply));
	return 0;
}

static int send_blob(struct session *s, struct nook_error *e)
{
	if (!s->location)
		TRY(start(s, e));
	s->row->state = PROGRESS_MOVING;
	if (s->chunk || s->upload->size > SMALL)
		TRY(send_all(s, e));
	return finish(s, e);
}

static int upload(struct session *s, struct nook_error *e)
{
	int r;

	if (TRY(is_present(s, e)))
		return 1;
	for (const char *const *from = s->upload->mounts; from && *from; from++)
		if (TRY(mount_from(s, *from, e)))
			return 1;
	for (unsigned tries = 0;; tries++) {
		r = send_blob(s, e);
		if (r == 0 || tries + 1 >= s->upload->tries || (!http_may_pass(r) && r != -ENOENT))
			return r;
		/* It may have been the answer that got lost. */
		TRY(remote_wait(s->remote, (int64_t)PAUSE_MS << (tries < 6 ? tries : 6), e));
		if (TRY(is_present(s, e)))
			return 0;
		session_done(s);
	}
}

int upload_blob(struct remote *r, const struct upload *u, struct progress_row *row, struct nook_error *e)
{
	AUTO_VALUE(session_done) struct session s = {.remote = r, .upload = u, .row = row, .chunk = u->chunk_size};
	int result = upload(&s, e);

	row->state = result < 0 ? PROGRESS_FAILED : result == 1 ? PROGRESS_PRESENT : PROGRESS_DONE;
	return result < 0 ? result : 0;
}
