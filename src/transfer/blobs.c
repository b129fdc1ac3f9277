/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "transfer/blobs.h"

#include "base/text.h"
#include "http/url.h"
#include "image/digest.h"
#include "registry/certs.h"

#include <stdio.h>
#include <stdlib.h>

enum { BLOCK = 64 << 10, CUTS_MAX = 1000, PAUSE_MS = 250 };

struct fetch {
	struct depot *depot;
	struct sink_want want;
	struct sink *sink;
	const struct descriptor *what;
	const char *object; /* of errors */
	const char *who;    /* sends it */
	struct progress_row *row;
	char *block;
};

static void fetch_done(struct fetch *f)
{
	sink_close(take_ptr(&f->sink));
	free(take_ptr(&f->block));
}

/* "bytes 100-199/200": does the reply start at OFFSET of a blob of SIZE bytes? */
static bool continues_at(const struct http_reply *reply, uint64_t offset, uint64_t size)
{
	const char *text = http_header(reply, "Content-Range");
	unsigned long long first = 0, last = 0, total = 0;
	int end = 0;

	if (!text)
		return false;
	if (sscanf(text, "bytes %llu-%llu/*%n", &first, &last, &end) == 2 && end && !text[end])
		return first == offset && last >= first && last < size;
	end = 0;
	return sscanf(text, "bytes %llu-%llu/%llu%n", &first, &last, &total, &end) == 3 && end && !text[end] && first == offset &&
		last >= first && last < size && total == size;
}

/* Makes sink and reply agree about where they are. */
static int align(struct fetch *f, const struct http_reply *reply, struct nook_error *e)
{
	uint64_t offset = sink_offset(f->sink), promised = 0;
	const char *length = http_header(reply, "Content-Length");
	unsigned status = http_status(reply);

	if (status == 206) {
		if (continues_at(reply, offset, f->what->size))
			return 0;
		return err_fmt(e, STEP_REGISTRY, f->object, EBADMSG, "%s continues at another place: %.60s", f->who,
			http_header(reply, "Content-Range") ? http_header(reply, "Content-Range") : "no Content-Range");
	}
	if (status != 200)
		return err_fmt(e, STEP_REGISTRY, f->object, EPROTO, "%s answers HTTP %u to a request for a blob", f->who, status);
	if (length && text_u64(length, &promised) == 0 && promised != f->what->size)
		return err_fmt(e, STEP_REGISTRY, f->object, EBADMSG, "%s has %llu bytes, and not the %llu that are promised",
			f->who, (unsigned long long)promised, (unsigned long long)f->what->size);
	/* It knows no ranges and starts anew. */
	return offset ? sink_restart(f->sink, e) : 0;
}

static int copy(struct fetch *f, struct http_reply *reply, struct nook_error *e)
{
	ssize_t n;

	while ((n = http_read(reply, f->block, BLOCK, e)) > 0) {
		TRY(sink_write(f->sink, f->block, (size_t)n, e));
		f->row->at = sink_offset(f->sink);
	}
	return (int)n;
}

/* One connection's worth.  URL: instead of the registry's own. */
static int attempt(struct fetch *f, struct remote *r, struct nook_error *e)
{
	static const unsigned fine[] = {416, 0};
	char path[DIGEST_TEXT_MAX + 8], range[48];
	const char *const ranges[] = {range, NULL};
	uint64_t offset = sink_offset(f->sink);
	AUTO(http_close) struct http_reply *reply = NULL;

	(void)snprintf(path, sizeof(path), "blobs/%s", f->what->digest);
	(void)snprintf(range, sizeof(range), "Range: bytes=%llu-", (unsigned long long)offset);
	TRY(remote_open(r, &(struct remote_call){.path = path, .headers = offset ? ranges : NULL, .fine = fine}, &reply, e));
	if (http_status(reply) == 416) {
		/* What is there cannot be a part of it. */
		TRY(sink_restart(f->sink, e));
		return offset ? -ECONNRESET : remote_refused(r, reply, e);
	}
	TRY(align(f, reply, e));
	return copy(f, reply, e);
}

static int check_whole(const struct fetch *f, struct nook_error *e)
{
	if (sink_offset(f->sink) >= f->what->size)
		return 0;
	return err_fmt(e, STEP_REGISTRY, f->object, ECONNRESET, "%s sends %llu of %llu bytes", f->who,
		(unsigned long long)sink_offset(f->sink), (unsigned long long)f->what->size);
}

/* A manifest names the server, so it is told nothing of who asks: of what certs.d has for it, the authorities alone. */
static int attempt_url(struct fetch *f, struct http *http, const char *url, struct nook_error *e)
{
	AUTO(arena_free) struct arena *a = arena_new();
	AUTO(http_close) struct http_reply *reply = NULL;
	auto_free char *host = url_host(url);
	struct http_tls tls = {0};
	const struct http_request q = {.url = url, .tls = &tls};

	if (host)
		TRY(certs_load(host, NULL, a, &tls, e));
	tls.client_cert = tls.client_key = NULL;
	TRY(sink_restart(f->sink, e));
	TRY(http_open(http, &q, &reply, e));
	TRY(align(f, reply, e));
	TRY(copy(f, reply, e));
	return check_whole(f, e);
}

/* As many connections as it takes, as long as each brings something. */
static int fetch_from(struct fetch *f, struct remote *r, unsigned tries, struct nook_error *e)
{
	unsigned idle = 0;

	for (int cuts = 0; cuts < CUTS_MAX; cuts++) {
		uint64_t before = sink_offset(f->sink);
		int result = before < f->what->size || !f->what->size ? attempt(f, r, e) : 0;

		if (result == 0)
			result = check_whole(f, e);
		if (result == 0 || !http_may_pass(result))
			return result;
		idle = sink_offset(f->sink) > before ? 0 : idle + 1;
		if (idle >= tries)
			return result;
		if (idle)
			TRY(remote_wait(r, (int64_t)PAUSE_MS << idle, e));
	}
	return err_fmt(e, STEP_REGISTRY, f->object, ECONNRESET, "was cut off %d times", CUTS_MAX);
}

/* Is it the source's fault, so that another may do better? */
static bool is_theirs(int r)
{
	return r == -ENOENT || r == -EACCES || r == -EBADMSG || r == -EBUSY || r == -EPROTO || r == -EFBIG || r == -ELOOP || r == -EPERM ||
		r == -EHOSTUNREACH || r == -EKEYREJECTED || r == -EMSGSIZE || http_may_pass(r);
}

/* Takes the place of the sink that it had: 0, or 1 when the blob is there already. */
static int open_sink(struct fetch *f, struct nook_error *e)
{
	int r;

	sink_close(take_ptr(&f->sink));
	while ((r = TRY(sink_open(f->depot, &f->want, &f->sink, e))) == SINK_BUSY)
		TRY(sink_wait(f->depot, f->want.digest, e));
	return r == SINK_PRESENT;
}

static int settle(struct fetch *f, int result, struct nook_error *e)
{
	if (result < 0)
		return result;
	f->row->state = PROGRESS_FINISHING;
	return sink_finish(f->sink, e);
}

/* Wrong content is thrown away, and with it the sink's file: is there a new one to go on with? */
static bool start_anew(struct fetch *f)
{
	struct nook_error ignored = NOOK_ERROR_INIT;

	f->row->state = PROGRESS_MOVING;
	return open_sink(f, &ignored) == 0;
}

static int fetch_anywhere(struct fetch *f, const struct blob_source *from, struct nook_error *e)
{
	int r = -ENOENT;

	for (size_t i = 0; i < from->n; i++) {
		/* Bytes that an earlier pull was given may be the wrong ones: then once more from the start. */
		bool is_resumed = sink_offset(f->sink) > 0;

		r = settle(f, fetch_from(f, from->remotes[i], from->tries, e), e);
		if (r == -EBADMSG && is_resumed && start_anew(f))
			r = settle(f, fetch_from(f, from->remotes[i], from->tries, e), e);
		if (!is_theirs(r))
			return r;
		if (r == -EBADMSG && !start_anew(f))
			return r;
	}
	for (const char *const *one = f->what->urls; one && *one; one++) {
		auto_free char *url = url_resolve(*one, *one);

		/* With a name and a password in it, it is none either. */
		if (!url || url_is_plain(url))
			continue;
		f->object = url;
		f->who = "the server";
		r = settle(f, attempt_url(f, from->http, url, e), e);
		f->object = f->what->digest;
		if (!is_theirs(r))
			return r;
		if (r == -EBADMSG && !start_anew(f))
			return r;
	}
	return r;
}

int blob_fetch(struct depot *d, const struct blob_source *from, const struct descriptor *what, const char *diff_id,
	struct progress_row *row, struct nook_error *e)
{
	AUTO_VALUE(fetch_done) struct fetch f = {
		.depot = d, .want = {.digest = what->digest, .size = what->size, .diff_id = diff_id},
		.what = what, .row = row, .object = what->digest, .who = "the registry",
	};
	int r = TRY(open_sink(&f, e));

	if (r == 1) {
		row->at = row->total;
		row->state = PROGRESS_PRESENT;
		return 0;
	}
	f.block = xcalloc(1, BLOCK);
	row->state = PROGRESS_MOVING;
	row->at = sink_offset(f.sink);
	r = fetch_anywhere(&f, from, e);
	row->state = r < 0 ? PROGRESS_FAILED : PROGRESS_DONE;
	return r;
}
