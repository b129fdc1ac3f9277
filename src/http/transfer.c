/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* One request: how libcurl is told about it, and the callbacks that the thread of loop.c runs. */
#include "http/transfer.h"

#include "base/text.h"
#include "http/url.h"

#include <stdlib.h>
#include <strings.h>

/* Below this many bytes a second a server counts as silent. */
enum { SLOWEST = 256, BODY_PATIENCE = 4 };

static size_t on_header(char *line, size_t size, size_t n, void *context)
{
	struct http_reply *r = context;
	size_t len = size * n;

	/* Trailers: the owner reads the header already. */
	if (r->has_header)
		return len;
	while (len && (line[len - 1] == '\n' || line[len - 1] == '\r'))
		len--;
	if (r->header.len + len > HTTP_HEADERS_MAX) {
		r->header_too_long = true;
		return 0;
	}
	if (len >= 5 && strncasecmp(line, "HTTP/", 5) == 0) {
		/* A new block: what came before was "100 Continue", or a proxy's. */
		r->header.len = 0;
		return size * n;
	}
	if (len) {
		buf_add(&r->header, line, len);
		buf_addc(&r->header, 0);
		return size * n;
	}
	long status = 0;

	(void)curl_easy_getinfo(r->easy, CURLINFO_RESPONSE_CODE, &status);
	if (status >= 200) {
		pthread_mutex_lock(&r->http->lock);
		r->status = (unsigned)status;
		r->has_header = true;
		pthread_cond_signal(&r->changed);
		pthread_mutex_unlock(&r->http->lock);
	}
	return size * n;
}

static void ring_put(struct http_reply *r, const char *data, size_t len)
{
	size_t end = (r->ring_at + r->ring_len) % RING_SIZE, first = RING_SIZE - end;

	if (first > len)
		first = len;
	memcpy(r->ring + end, data, first);
	memcpy(r->ring, data + first, len - first);
	r->ring_len += len;
}

static bool is_multiplexed(const struct http_reply *r)
{
	long version = 0;

	return curl_easy_getinfo(r->easy, CURLINFO_HTTP_VERSION, &version) == CURLE_OK && version >= CURL_HTTP_VERSION_2;
}

/* A paused stream among others of one connection would be buffered by libcurl without end: so the connection waits. */
static void wait_for_room(struct http_reply *r, size_t len)
{
	r->is_held_up = true;
	while (r->ring_len + len > RING_SIZE && !r->wants_remove && !r->http->is_cancelled) {
		pthread_cond_signal(&r->changed);
		pthread_cond_wait(&r->drained, &r->http->lock);
	}
	r->is_held_up = false;
}

static size_t on_body(char *data, size_t size, size_t n, void *context)
{
	struct http_reply *r = context;
	size_t len = size * n;

	pthread_mutex_lock(&r->http->lock);
	if (is_multiplexed(r))
		wait_for_room(r, len);
	if (r->wants_remove || r->http->is_cancelled) {
		len = 0;
	} else if (r->ring_len + len > RING_SIZE) {
		r->is_paused = true;
		len = CURL_WRITEFUNC_PAUSE;
		pthread_cond_signal(&r->changed);
	} else {
		if (!r->ring)
			r->ring = xcalloc(1, RING_SIZE);
		ring_put(r, data, len);
		if (r->ring_len >= RING_WAKE)
			pthread_cond_signal(&r->changed);
	}
	pthread_mutex_unlock(&r->http->lock);
	return len;
}

static size_t on_send(char *data, size_t size, size_t n, void *context)
{
	struct http_reply *r = context;
	uint64_t left = r->request.body_len - r->sent, len = size * n;
	ssize_t got;

	if (len > left)
		len = left;
	if (r->request.body) {
		memcpy(data, (const char *)r->request.body + r->sent, len);
		got = (ssize_t)len;
	} else {
		got = len ? pread(r->request.body_fd, data, len, (off_t)(r->request.body_offset + r->sent)) : 0;
		if (got < 0 || (got == 0 && len))
			return CURL_READFUNC_ABORT;
	}
	r->sent += (uint64_t)got;
	if (r->request.sent)
		r->request.sent(r->request.context, r->sent);
	return (size_t)got;
}

/* libcurl goes back when a reused connection turns out to be dead. */
static int on_seek(void *context, curl_off_t offset, int origin)
{
	struct http_reply *r = context;

	if (r->request.is_once || origin != SEEK_SET || offset < 0 || (uint64_t)offset > r->request.body_len)
		return CURL_SEEKFUNC_FAIL;
	r->sent = (uint64_t)offset;
	return CURL_SEEKFUNC_OK;
}

static void set_tls(CURL *easy, const struct http_tls *tls)
{
	struct curl_blob ca = {.flags = CURL_BLOB_NOCOPY};

	if (!tls)
		return;
	if (tls->ca) {
		ca.data = (void *)(uintptr_t)tls->ca;
		ca.len = tls->ca_len;
		/* The directory of the system's authorities stays in use beside it. */
		(void)curl_easy_setopt(easy, CURLOPT_CAINFO_BLOB, &ca);
	}
	if (tls->client_cert)
		(void)curl_easy_setopt(easy, CURLOPT_SSLCERT, tls->client_cert);
	if (tls->client_key)
		(void)curl_easy_setopt(easy, CURLOPT_SSLKEY, tls->client_key);
	if (tls->is_unchecked) {
		(void)curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, 0L);
		(void)curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, 0L);
	}
}

static void set_method(struct http_reply *r)
{
	const struct http_request *q = &r->request;
	const char *method = q->method ? q->method : "GET";

	if (text_is(method, "HEAD")) {
		(void)curl_easy_setopt(r->easy, CURLOPT_NOBODY, 1L);
	} else if (text_is(method, "POST")) {
		(void)curl_easy_setopt(r->easy, CURLOPT_POST, 1L);
		(void)curl_easy_setopt(r->easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)q->body_len);
	} else if (text_is(method, "PUT") || text_is(method, "PATCH")) {
		(void)curl_easy_setopt(r->easy, CURLOPT_UPLOAD, 1L);
		(void)curl_easy_setopt(r->easy, CURLOPT_CUSTOMREQUEST, method);
		(void)curl_easy_setopt(r->easy, CURLOPT_INFILESIZE_LARGE, (curl_off_t)q->body_len);
	} else if (!text_is(method, "GET")) {
		(void)curl_easy_setopt(r->easy, CURLOPT_CUSTOMREQUEST, method);
	}
	(void)curl_easy_setopt(r->easy, CURLOPT_READFUNCTION, on_send);
	(void)curl_easy_setopt(r->easy, CURLOPT_READDATA, r);
	(void)curl_easy_setopt(r->easy, CURLOPT_SEEKFUNCTION, on_seek);
	(void)curl_easy_setopt(r->easy, CURLOPT_SEEKDATA, r);
}

static void add_header(struct http_reply *r, const char *line)
{
	struct curl_slist *list = curl_slist_append(r->headers, line);

	if (!list)
		abort();
	r->headers = list;
}

static void set_headers(struct http_reply *r)
{
	const struct http_request *q = &r->request;

	/* No waiting for "100 Continue", no content types that nobody asked for. */
	add_header(r, "Expect:");
	if (q->body_len == 0)
		add_header(r, "Content-Type:");
	for (const char *const *line = q->headers; line && *line; line++)
		add_header(r, *line);
	if (q->authorization) {
		auto_free char *line = xasprintf("Authorization: %s", q->authorization);

		add_header(r, line);
	}
	(void)curl_easy_setopt(r->easy, CURLOPT_HTTPHEADER, r->headers);
	(void)curl_easy_setopt(r->easy, CURLOPT_HEADEROPT, (long)CURLHEADER_SEPARATE);
}

int transfer_prepare(struct http_reply *r, struct nook_error *e)
{
	CURL *easy = r->easy = curl_easy_init();

	if (!easy)
		return err_num(e, STEP_REGISTRY, r->url, ENOMEM);
	(void)curl_easy_setopt(easy, CURLOPT_URL, r->url);
	(void)curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, url_is_plain(r->url) ? "http" : "https");
	(void)curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
	(void)curl_easy_setopt(easy, CURLOPT_USERAGENT, r->http->agent);
	(void)curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, r->error);
	(void)curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, r->http->connect_ms);
	(void)curl_easy_setopt(easy, CURLOPT_LOW_SPEED_LIMIT, (long)SLOWEST);
	/* Who was sent gigabytes hashes them before it answers. */
	(void)curl_easy_setopt(easy, CURLOPT_LOW_SPEED_TIME, r->http->silence_s * (r->request.body_len ? BODY_PATIENCE : 1));
	(void)curl_easy_setopt(easy, CURLOPT_BUFFERSIZE, 64L << 10);
	(void)curl_easy_setopt(easy, CURLOPT_UPLOAD_BUFFERSIZE, 128L << 10);
	/* Streams of one HTTP/2 connection instead of one handshake each. */
	(void)curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_2TLS);
	(void)curl_easy_setopt(easy, CURLOPT_PIPEWAIT, url_is_plain(r->url) ? 0L : 1L);
	(void)curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, on_header);
	(void)curl_easy_setopt(easy, CURLOPT_HEADERDATA, r);
	(void)curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body);
	(void)curl_easy_setopt(easy, CURLOPT_WRITEDATA, r);
	(void)curl_easy_setopt(easy, CURLOPT_PRIVATE, r);
	set_tls(easy, r->request.tls);
	set_method(r);
	set_headers(r);
	return 0;
}

void transfer_free(struct http_reply *r)
{
	curl_easy_cleanup(r->easy);
	curl_slist_free_all(r->headers);
	(void)pthread_cond_destroy(&r->changed);
	(void)pthread_cond_destroy(&r->drained);
	buf_done(&r->header);
	free(r->ring);
	free(r->url);
	free(r);
}

static int errno_of(CURLcode code)
{
	switch (code) {
	case CURLE_COULDNT_RESOLVE_HOST:
	case CURLE_COULDNT_RESOLVE_PROXY:
		return EHOSTUNREACH;
	case CURLE_COULDNT_CONNECT:
		return ECONNREFUSED;
	case CURLE_OPERATION_TIMEDOUT:
		return ETIMEDOUT;
	case CURLE_PEER_FAILED_VERIFICATION:
	case CURLE_SSL_CACERT_BADFILE:
	case CURLE_SSL_CERTPROBLEM:
		return EKEYREJECTED;
	case CURLE_SSL_CONNECT_ERROR:
	case CURLE_UNSUPPORTED_PROTOCOL:
	case CURLE_WEIRD_SERVER_REPLY:
		return EPROTO;
	case CURLE_GOT_NOTHING:
	case CURLE_RECV_ERROR:
	case CURLE_SEND_ERROR:
	case CURLE_SEND_FAIL_REWIND: /* a dead connection, and a body that is sent once */
	case CURLE_PARTIAL_FILE:
	case CURLE_HTTP2:
	case CURLE_HTTP2_STREAM:
		return ECONNRESET;
	default:
		return EIO;
	}
}

int transfer_error(const struct http_reply *r, struct nook_error *e)
{
	int errnum = errno_of(r->result);
	const char *why = r->error[0] ? r->error : curl_easy_strerror(r->result);

	if (r->header_too_long)
		return err_fmt(e, STEP_REGISTRY, r->url, EMSGSIZE, "the header of the reply is longer than %d KiB", HTTP_HEADERS_MAX >> 10);
	return err_why(e, STEP_REGISTRY, r->url, errnum, why);
}
