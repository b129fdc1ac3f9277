/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Order of a request: the scheme (https first; http only where it may be), the authorization we have, the reply; on 401 a
 * new authorization and the request once more; on 429 and 5xx a pause and once more.
 */
#include "registry/remote.h"

#include "base/text.h"
#include "http/url.h"
#include "registry/answer.h"
#include "registry/token.h"

#include <curl/curl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { AUTHORIZATIONS_MAX = 4, PAUSE_MS = 250, ERROR_BODY_MAX = 64 << 10 };

enum scheme { SCHEME_UNKNOWN, SCHEME_HTTPS, SCHEME_HTTP };

struct remote {
	struct remote_options o;
	char *name;
	enum http_plain plain;
	bool may_be_plain;
	pthread_mutex_t lock; /* of what follows */
	enum scheme scheme;
	struct arena *arena;
	struct token_scopes scopes;
	char *authorization;
	unsigned generation; /* counts authorizations: whoever got 401 with an old one takes the new one */
};

struct remote *remote_new(const struct remote_options *o)
{
	struct remote *r = xcalloc(1, sizeof(*r));
	auto_free char *base = xasprintf("https://%s/", o->host);

	r->o = *o;
	if (!r->o.tries)
		r->o.tries = REMOTE_TRIES;
	r->name = o->name ? xstrdup(o->name) : xasprintf("%s%s%s", o->host, o->repository ? "/" : "", o->repository ? o->repository : "");
	r->plain = o->is_insecure ? HTTP_PLAIN_ALLOWED : HTTP_PLAIN_LOOPBACK;
	r->may_be_plain = o->is_insecure || url_is_loopback(base);
	r->arena = arena_new();
	if (o->repository)
		(void)token_scope_add(&r->scopes, arena_printf(r->arena, "repository:%s:%s", o->repository, o->actions ? o->actions : "pull"), r->arena);
	(void)pthread_mutex_init(&r->lock, NULL);
	return r;
}

void remote_free(struct remote *r)
{
	if (!r)
		return;
	(void)pthread_mutex_destroy(&r->lock);
	arena_free(r->arena);
	free(r->authorization);
	free(r->name);
	free(r);
}

const char *remote_name(const struct remote *r)
{
	return r->name;
}

/* ---- waiting -------------------------------------------------------------------------------------------------------- */

int remote_wait(struct remote *r, int64_t ms, struct nook_error *e)
{
	return http_wait(r->o.http, ms) < 0 ? err_num(e, STEP_REGISTRY, r->name, ECANCELED) : 0;
}

/* How long to wait before try number N + 1 of a request that failed. */
static int64_t pause_ms(unsigned n)
{
	return (int64_t)PAUSE_MS << (n < 6 ? n : 6);
}

/* Retry-After, in seconds or as a date: milliseconds, or -1. */
static int64_t retry_after_ms(const struct http_reply *reply)
{
	const char *text = http_header(reply, "Retry-After");
	uint64_t seconds = 0;
	time_t date;

	if (!text)
		return -1;
	if (text_u64(text, &seconds) == 0)
		return seconds > INT32_MAX ? INT32_MAX : (int64_t)seconds * 1000;
	date = curl_getdate(text, NULL);
	if (date < 0)
		return -1;
	return date > time(NULL) ? (int64_t)(date - time(NULL)) * 1000 : 0;
}

static bool is_put_off(unsigned status)
{
	return status == 429 || status == 500 || status == 502 || status == 503 || status == 504;
}

/* Waits as the reply asks for, and closes it: a body that nobody reads would be in the way of others.  0, or the error when
 * that is too long or was tried too often. */
static int wait_for(struct remote *r, struct http_reply **reply, unsigned tries, struct nook_error *e)
{
	int64_t ms = retry_after_ms(*reply);

	if (tries + 1 >= r->o.tries || ms > REMOTE_WAIT_MAX_S * 1000)
		return remote_refused(r, *reply, e);
	if (ms < 0)
		ms = pause_ms(tries);
	if (r->o.note && ms >= 1000) {
		auto_free char *text = xasprintf("%s answers %u, asks again in %lld s", r->o.host, http_status(*reply), (long long)(ms / 1000));

		r->o.note(r->o.context, text);
	}
	http_close(take_ptr(reply));
	return remote_wait(r, ms, e);
}

/* ---- errors --------------------------------------------------------------------------------------------------------- */

static int status_errno(unsigned status)
{
	switch (status) {
	case 401:
	case 403:
		return EACCES;
	case 404:
		return ENOENT;
	case 405:
		return EOPNOTSUPP;
	case 413:
		return EFBIG;
	case 416:
		return ERANGE;
	case 429:
		return EBUSY;
	default:
		return status >= 500 ? EIO : EPROTO;
	}
}

int remote_refused(const struct remote *r, struct http_reply *reply, struct nook_error *e)
{
	AUTO_VALUE(buf_done) struct buf body = {0};
	AUTO(arena_free) struct arena *a = arena_new();
	unsigned status = http_status(reply);
	const char *words = NULL;

	if (http_read_all(reply, ERROR_BODY_MAX, &body, NULL) >= 0)
		words = answer_error(buf_text(&body), body.len, a);
	if (words)
		return err_fmt(e, STEP_REGISTRY, r->name, status_errno(status), "%s (HTTP %u)", words, status);
	return err_fmt(e, STEP_REGISTRY, r->name, status_errno(status), "the registry answers HTTP %u", status);
}

/* ---- one request ---------------------------------------------------------------------------------------------------- */

static enum scheme scheme_now(struct remote *r)
{
	enum scheme scheme;

	pthread_mutex_lock(&r->lock);
	scheme = r->scheme;
	pthread_mutex_unlock(&r->lock);
	return scheme;
}

static void scheme_settle(struct remote *r, enum scheme scheme)
{
	pthread_mutex_lock(&r->lock);
	r->scheme = scheme;
	pthread_mutex_unlock(&r->lock);
}

static char *url_for(const struct remote *r, const char *path, enum scheme scheme)
{
	const char *word = scheme == SCHEME_HTTP ? "http" : "https";

	if (text_after(path, "http://") || text_after(path, "https://"))
		return xstrdup(path);
	if (path[0] == '/')
		return xasprintf("%s://%s%s", word, r->o.host, path);
	return xasprintf("%s://%s/v2/%s/%s", word, r->o.host, r->o.repository, path);
}

/* Does no TLS server stand there, so that plain http is worth a try? */
static bool is_plain_answer(int r)
{
	return r == -EPROTO || r == -ECONNREFUSED || r == -ECONNRESET;
}

/* Sends the request with AUTHORIZATION, trying again what may pass.  Any status is a success. */
static int exchange(struct remote *r, const struct remote_call *c, const char *authorization, struct http_reply **ret, struct nook_error *e)
{
	struct http_tls tls = r->o.tls ? *r->o.tls : (struct http_tls){0};

	tls.is_unchecked |= r->o.is_insecure;
	for (unsigned tries = 0;; tries++) {
		enum scheme scheme = scheme_now(r);
		auto_free char *own = url_for(r, "/", scheme);
		auto_free char *url = url_for(r, c->path, scheme);
		/* A registry may name a place elsewhere for uploads; who we are is not for others. */
		bool is_ours = url_same_origin(own, url);
		struct http_tls others = {.ca = tls.ca, .ca_len = tls.ca_len, .is_unchecked = tls.is_unchecked};
		const struct http_request q = {
			.method = c->method, .url = url, .authorization = is_ours ? authorization : NULL, .headers = c->headers,
			.tls = is_ours ? &tls : &others, .plain = r->plain, .body = c->body, .body_fd = c->body_fd,
			.body_offset = c->body_offset, .body_len = c->body_len, .is_once = c->is_once, .sent = c->sent, .context = c->context,
		};
		int result = http_open(r->o.http, &q, ret, e);

		if (result == 0) {
			if (is_ours && scheme == SCHEME_UNKNOWN)
				scheme_settle(r, SCHEME_HTTPS);
			return 0;
		}
		if (is_ours && scheme == SCHEME_UNKNOWN && r->may_be_plain && is_plain_answer(result)) {
			scheme_settle(r, SCHEME_HTTP);
			continue;
		}
		if (!http_may_pass(result) || c->is_once || tries + 1 >= r->o.tries)
			return result;
		TRY(remote_wait(r, pause_ms(tries), e));
	}
}

static bool is_fine(const struct remote_call *c, unsigned status)
{
	if (status < 400)
		return true;
	for (const unsigned *at = c->fine; at && *at; at++)
		if (*at == status)
			return true;
	return false;
}

/* A new authorization after REPLY said 401 to the one of GENERATION: 1, or 0 when another thread got one meanwhile. */
static int authorize(struct remote *r, const struct http_reply *reply, unsigned generation, struct nook_error *e)
{
	const struct token_request q = {
		.http = r->o.http, .name = r->name, .base = http_url(reply), .plain = r->plain, .tls = r->o.tls,
		.is_insecure = r->o.is_insecure, .credentials = r->o.credentials, .scopes = &r->scopes,
	};
	char *fresh = NULL;
	int result = 0;

	pthread_mutex_lock(&r->lock);
	if (generation == r->generation) {
		result = token_authorize(&q, reply, &fresh, e);
		if (result == 0) {
			free(r->authorization);
			r->authorization = fresh;
			r->generation++;
			result = 1;
		}
	}
	pthread_mutex_unlock(&r->lock);
	return result;
}

/* Is it the registry that answers, and none to whom it redirects or where it takes uploads?  Who else asks for an authorization
 * could name a token server of its own, and get the password there. */
static bool is_its_own(struct remote *r, const struct http_reply *reply)
{
	auto_free char *own = url_for(r, "/", scheme_now(r));

	return url_same_origin(own, http_url(reply));
}

static int refused_elsewhere(const struct remote *r, const struct http_reply *reply, struct nook_error *e)
{
	const char *url = http_url(reply);

	/* What follows the "?" may be a signature. */
	return err_fmt(e, STEP_REGISTRY, r->name, EACCES, "it sends to a place that wants an authorization of its own (HTTP 401): %.*s",
		(int)strcspn(url, "?"), url);
}

/* What to send now, on the heap.  A token that was made without SCOPE is forgotten: the registry will ask for another. */
static char *authorization_now(struct remote *r, const char *scope, unsigned *ret_generation)
{
	char *copy;

	pthread_mutex_lock(&r->lock);
	if (scope && token_scope_add(&r->scopes, arena_strdup(r->arena, scope), r->arena) && r->authorization &&
		text_after(r->authorization, "Bearer ")) {
		free(take_ptr(&r->authorization));
		r->generation++;
	}
	*ret_generation = r->generation;
	copy = r->authorization ? xstrdup(r->authorization) : NULL;
	pthread_mutex_unlock(&r->lock);
	return copy;
}

int remote_open(struct remote *r, const struct remote_call *c, struct http_reply **ret, struct nook_error *e)
{
	unsigned put_off = 0, refused = 0;

	for (;;) {
		AUTO(http_close) struct http_reply *reply = NULL;
		unsigned generation = 0, status;
		auto_free char *authorization = authorization_now(r, c->scope, &generation);

		TRY(exchange(r, c, authorization, &reply, e));
		status = http_status(reply);
		if (is_fine(c, status)) {
			*ret = take_ptr(&reply);
			return 0;
		}
		if (status == 401 && !is_its_own(r, reply))
			return refused_elsewhere(r, reply, e);
		if (status == 401 && refused < AUTHORIZATIONS_MAX) {
			refused += (unsigned)TRY(authorize(r, reply, generation, e));
			continue;
		}
		if (!is_put_off(status))
			return remote_refused(r, reply, e);
		TRY(wait_for(r, &reply, put_off++, e));
	}
}
