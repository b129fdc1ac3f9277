/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * HTTP for callers that block, over libcurl's multi interface.
 *
 * One thread moves the bytes of all requests (connections are reused, HTTP/2 streams share one); whoever opened a request
 * reads its reply from a small ring.  A full ring stops that one stream, so memory is bounded whatever a server sends.
 * Everything here may be called from several threads at once; one reply belongs to one thread.
 *
 * A redirect is followed here and not by libcurl: never from https to http, at most HTTP_REDIRECTS times, and without
 * Authorization and client certificate as soon as scheme, host or port differ.
 */
#pragma once

#include "base/buf.h"
#include "base/error.h"

#include <stdbool.h>
#include <stdint.h>

enum {
	HTTP_REDIRECTS = 10,
	HTTP_HEADERS_MAX = 64 << 10, /* bytes of one reply's header */
};

struct http;
struct http_reply;

/* Where plain http may be spoken, and led to by a redirect of a plain http server. */
enum http_plain { HTTP_PLAIN_LOOPBACK, HTTP_PLAIN_ALLOWED };

struct http_tls {
	const char *ca; /* PEM certificates that are trusted besides the system's, or NULL */
	size_t ca_len;
	const char *client_cert, *client_key; /* paths, or NULL */
	bool is_unchecked; /* the server may be anyone */
};

struct http_options {
	const char *agent;  /* User-Agent */
	int connect_ms;     /* for the connection and its TLS handshake; 0: 15 s */
	int silence_ms;     /* how long a server may send (nearly) nothing; 0: 30 s */
};

struct http_request {
	const char *method; /* NULL: GET */
	const char *url;
	const char *authorization;   /* value of that header, or NULL */
	const char *const *headers;  /* "Name: value", NULL-terminated, or NULL */
	const struct http_tls *tls;  /* NULL: the system's authorities */
	enum http_plain plain;
	/* What is sent: memory, or BODY_LEN bytes of BODY_FD from BODY_OFFSET on (BODY is NULL then). */
	const void *body;
	int body_fd;
	uint64_t body_offset, body_len;
	bool is_once; /* the body is not sent a second time, over whatever connection */
	/* Counts what was sent, for progress; may be NULL. */
	void (*sent)(void *context, uint64_t bytes);
	void *context;
};

/* Starts the thread.  Errors: STEP_REGISTRY. */
int http_new(const struct http_options *o, struct http **ret, struct nook_error *e);
void http_free(struct http *h);
CLEANUP_DEFINE(struct http *, http_free)

/* Sends the request and waits for the header of the last reply.  What Q points to must live until http_close(). Any
 * status is a success; a redirect that may not be followed is an error.  -ECONNREFUSED, -ECONNRESET, -ETIMEDOUT,
 * -EHOSTUNREACH (no such host), -EKEYREJECTED (certificate), -EPROTO (TLS or HTTP broken), -EMSGSIZE (header too long),
 * -ELOOP, -EPERM (redirect refused), -ECANCELED. */
int http_open(struct http *h, const struct http_request *q, struct http_reply **ret, struct nook_error *e);
unsigned http_status(const struct http_reply *r);
/* The first such header's value, or NULL; of the name the case does not matter. */
const char *http_header(const struct http_reply *r, const char *name);
/* Every such header in order: *at starts at 0; NULL ends it. */
const char *http_header_next(const struct http_reply *r, const char *name, size_t *at);
/* Where the reply came from, after redirects. */
const char *http_url(const struct http_reply *r);
/* Up to SIZE bytes of the body; 0 at its end.  -ECONNRESET when it was cut off, and as http_open(). */
ssize_t http_read(struct http_reply *r, void *buf, size_t size, struct nook_error *e);
/* The whole rest of the body; -EFBIG beyond LIMIT. */
int http_read_all(struct http_reply *r, size_t limit, struct buf *b, struct nook_error *e);
/* Breaks off what was not read; NULL is fine. */
void http_close(struct http_reply *r);
CLEANUP_DEFINE(struct http_reply *, http_close)

/* A failure that may go away: cut, silent, refused. */
bool http_may_pass(int r);
/* Every call in progress and to come ends with -ECANCELED. */
void http_cancel(struct http *h);
/* Lets time pass: 0, or -ECANCELED at once. */
int http_wait(struct http *h, int64_t ms);
