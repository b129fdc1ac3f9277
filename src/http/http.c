/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "http/http.h"

#include "base/text.h"
#include "http/transfer.h"
#include "http/url.h"

#include <stdlib.h>
#include <strings.h>
#include <time.h>

enum { CONNECT_MS = 15000, SILENCE_MS = 30000, HOST_CONNECTIONS = 6, CACHED_CONNECTIONS = 12 };

static void cond_init(pthread_cond_t *cond)
{
	pthread_condattr_t attr;

	(void)pthread_condattr_init(&attr);
	(void)pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	(void)pthread_cond_init(cond, &attr);
	(void)pthread_condattr_destroy(&attr);
}

int http_new(const struct http_options *o, struct http **ret, struct nook_error *e)
{
	struct http *h = xcalloc(1, sizeof(*h));
	int r;

	if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK || !(h->multi = curl_multi_init())) {
		free(h);
		return err_why(e, STEP_REGISTRY, NULL, ENOMEM, "libcurl does not start");
	}
	h->agent = xstrdup(o->agent ? o->agent : "nook/" NOOK_VERSION);
	h->connect_ms = o->connect_ms ? o->connect_ms : CONNECT_MS;
	h->silence_s = ((o->silence_ms ? o->silence_ms : SILENCE_MS) + 999) / 1000;
	(void)curl_multi_setopt(h->multi, CURLMOPT_PIPELINING, (long)CURLPIPE_MULTIPLEX);
	(void)curl_multi_setopt(h->multi, CURLMOPT_MAX_HOST_CONNECTIONS, (long)HOST_CONNECTIONS);
	(void)curl_multi_setopt(h->multi, CURLMOPT_MAXCONNECTS, (long)CACHED_CONNECTIONS);
	(void)pthread_mutex_init(&h->lock, NULL);
	cond_init(&h->cancelled);
	r = pthread_create(&h->thread, NULL, loop_run, h);
	if (r) {
		(void)curl_multi_cleanup(h->multi);
		free(h->agent);
		free(h);
		return err_num(e, STEP_REGISTRY, "thread", r);
	}
	*ret = h;
	return 0;
}

void http_free(struct http *h)
{
	if (!h)
		return;
	pthread_mutex_lock(&h->lock);
	h->is_ending = true;
	pthread_mutex_unlock(&h->lock);
	(void)curl_multi_wakeup(h->multi);
	(void)pthread_join(h->thread, NULL);
	(void)curl_multi_cleanup(h->multi);
	(void)pthread_mutex_destroy(&h->lock);
	(void)pthread_cond_destroy(&h->cancelled);
	free(h->agent);
	free(h);
}

void http_cancel(struct http *h)
{
	pthread_mutex_lock(&h->lock);
	h->is_cancelled = true;
	pthread_cond_broadcast(&h->cancelled);
	for (struct http_reply *r = h->replies; r; r = r->next) {
		pthread_cond_signal(&r->changed);
		pthread_cond_signal(&r->drained);
	}
	pthread_mutex_unlock(&h->lock);
}

int http_wait(struct http *h, int64_t ms)
{
	struct timespec until;
	int r = 0;

	(void)clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += ms / 1000;
	until.tv_nsec += ms % 1000 * 1000000;
	if (until.tv_nsec >= 1000000000) {
		until.tv_sec++;
		until.tv_nsec -= 1000000000;
	}
	pthread_mutex_lock(&h->lock);
	while (!h->is_cancelled && r != ETIMEDOUT)
		r = pthread_cond_timedwait(&h->cancelled, &h->lock, &until);
	r = h->is_cancelled ? -ECANCELED : 0;
	pthread_mutex_unlock(&h->lock);
	return r;
}

bool http_may_pass(int r)
{
	return r == -ECONNRESET || r == -ETIMEDOUT || r == -ECONNREFUSED || r == -EIO;
}

/* ---- one exchange -------------------------------------------------------------------------------------------------- */

static int cancelled(const struct http_reply *r, struct nook_error *e)
{
	return err_num(e, STEP_REGISTRY, r->url, ECANCELED);
}

/* One request without redirects, up to its header. */
static int exchange(struct http *h, const struct http_request *q, const char *url, struct http_reply **ret, struct nook_error *e)
{
	AUTO(http_close) struct http_reply *r = NULL;
	struct http_reply *fresh = xcalloc(1, sizeof(*fresh));
	int result;

	fresh->http = h;
	fresh->url = xstrdup(url);
	fresh->request = *q;
	fresh->is_removed = true; /* the thread does not know it yet */
	cond_init(&fresh->changed);
	cond_init(&fresh->drained);
	r = fresh;
	TRY(transfer_prepare(r, e));
	r->request.tls = NULL; /* on the stack of http_open() */
	pthread_mutex_lock(&h->lock);
	r->wants_add = true;
	r->is_removed = false;
	r->next = h->replies;
	h->replies = r;
	pthread_mutex_unlock(&h->lock);
	(void)curl_multi_wakeup(h->multi);

	pthread_mutex_lock(&h->lock);
	while (!r->has_header && !r->is_done && !h->is_cancelled)
		pthread_cond_wait(&r->changed, &h->lock);
	result = h->is_cancelled ? cancelled(r, e) : r->has_header ? 0 : transfer_error(r, e);
	pthread_mutex_unlock(&h->lock);
	if (result < 0)
		return result;
	*ret = take_ptr(&r);
	return 0;
}

static bool is_redirect(unsigned status)
{
	return status == 301 || status == 302 || status == 303 || status == 307 || status == 308;
}

/* Where the reply leads to, on the heap. */
static int redirect_target(const struct http_reply *r, const struct http_request *q, char **ret, struct nook_error *e)
{
	const char *location = http_header(r, "Location");
	auto_free char *target = location ? url_resolve(r->url, location) : NULL;

	if (!target)
		return err_why(e, STEP_REGISTRY, r->url, EPROTO, "redirects to no http or https address");
	if (url_is_plain(target) && !url_is_plain(r->url))
		return err_fmt(e, STEP_REGISTRY, r->url, EPERM, "redirects from https to http: %.120s", target);
	if (url_is_plain(target) && q->plain == HTTP_PLAIN_LOOPBACK && !url_is_loopback(target))
		return err_fmt(e, STEP_REGISTRY, r->url, EPERM, "redirects to plain http elsewhere: %.120s", target);
	*ret = take_ptr(&target);
	return 0;
}

int http_open(struct http *h, const struct http_request *q, struct http_reply **ret, struct nook_error *e)
{
	auto_free char *url = xstrdup(q->url);
	const char *method = q->method ? q->method : "GET";
	bool may_follow = text_is(method, "GET") || text_is(method, "HEAD");
	struct http_tls tls = q->tls ? *q->tls : (struct http_tls){0};
	struct http_request now = *q;

	now.tls = q->tls;
	if (url_is_plain(url) && q->plain == HTTP_PLAIN_LOOPBACK && !url_is_loopback(url))
		return err_why(e, STEP_REGISTRY, url, EPERM, "plain http is not allowed there");
	for (int i = 0; i <= HTTP_REDIRECTS; i++) {
		AUTO(http_close) struct http_reply *r = NULL;
		auto_free char *target = NULL;

		TRY(exchange(h, &now, url, &r, e));
		if (!may_follow || !is_redirect(r->status)) {
			*ret = take_ptr(&r);
			return 0;
		}
		TRY(redirect_target(r, q, &target, e));
		if (!url_same_origin(url, target)) {
			now.authorization = NULL;
			/* Authorities hold elsewhere too; who the caller is does not. */
			tls.client_cert = tls.client_key = NULL;
			now.tls = q->tls ? &tls : NULL;
		}
		free(url);
		url = take_ptr(&target);
	}
	return err_fmt(e, STEP_REGISTRY, q->url, ELOOP, "redirects more than %d times", HTTP_REDIRECTS);
}

/* ---- the reply ------------------------------------------------------------------------------------------------------ */

unsigned http_status(const struct http_reply *r)
{
	return r->status;
}

const char *http_url(const struct http_reply *r)
{
	return r->url;
}

const char *http_header_next(const struct http_reply *r, const char *name, size_t *at)
{
	size_t len = strlen(name);

	while (*at < r->header.len) {
		const char *line = r->header.data + *at;

		*at += strlen(line) + 1;
		if (strncasecmp(line, name, len) == 0 && line[len] == ':')
			return line + len + 1 + strspn(line + len + 1, " \t");
	}
	return NULL;
}

const char *http_header(const struct http_reply *r, const char *name)
{
	size_t at = 0;

	return http_header_next(r, name, &at);
}

static size_t ring_take(struct http_reply *r, char *data, size_t size)
{
	size_t len = r->ring_len < size ? r->ring_len : size, first = RING_SIZE - r->ring_at;

	if (first > len)
		first = len;
	memcpy(data, r->ring + r->ring_at, first);
	memcpy(data + first, r->ring, len - first);
	r->ring_at = (r->ring_at + len) % RING_SIZE;
	r->ring_len -= len;
	return len;
}

ssize_t http_read(struct http_reply *r, void *buf, size_t size, struct nook_error *e)
{
	size_t enough = size < RING_WAKE ? size : RING_WAKE, len = 0;
	struct http *h = r->http;
	bool resume = false;
	int result = 0;

	pthread_mutex_lock(&h->lock);
	/* A stopped stream goes on only when the ring was emptied by half. */
	while (r->ring_len < enough && !r->is_done && !h->is_cancelled && !((r->is_paused || r->is_held_up) && r->ring_len))
		pthread_cond_wait(&r->changed, &h->lock);
	if (h->is_cancelled)
		result = cancelled(r, e);
	else if (r->ring_len)
		len = ring_take(r, buf, size);
	else if (r->is_done && r->result != CURLE_OK)
		result = transfer_error(r, e);
	if (r->is_paused && !r->wants_resume && r->ring_len <= RING_SIZE / 2)
		resume = r->wants_resume = true;
	if (r->is_held_up && r->ring_len <= RING_SIZE / 2)
		pthread_cond_signal(&r->drained);
	pthread_mutex_unlock(&h->lock);
	if (resume)
		(void)curl_multi_wakeup(h->multi);
	return result < 0 ? result : (ssize_t)len;
}

int http_read_all(struct http_reply *r, size_t limit, struct buf *b, struct nook_error *e)
{
	char chunk[16384];
	size_t total = 0;
	ssize_t n;

	while ((n = http_read(r, chunk, sizeof(chunk), e)) > 0) {
		total += (size_t)n;
		if (total > limit)
			return err_fmt(e, STEP_REGISTRY, r->url, EFBIG, "the reply is longer than %zu KiB", limit >> 10);
		buf_add(b, chunk, (size_t)n);
	}
	return (int)n;
}

void http_close(struct http_reply *r)
{
	if (!r)
		return;
	pthread_mutex_lock(&r->http->lock);
	if (!r->is_removed) {
		r->wants_remove = true;
		pthread_cond_signal(&r->drained);
		(void)curl_multi_wakeup(r->http->multi);
		while (!r->is_removed)
			pthread_cond_wait(&r->changed, &r->http->lock);
	}
	pthread_mutex_unlock(&r->http->lock);
	transfer_free(r);
}
