/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * One repository of one registry: every request of the distribution protocol goes through here.  It finds out whether the
 * registry speaks TLS, answers its challenges (Basic, tokens that expire in the middle), waits as long as it is told to,
 * and tries again what may go away.  May be shared by threads.
 */
#pragma once

#include "http/http.h"
#include "registry/credentials.h"

struct remote;

struct remote_options {
	struct http *http;
	const char *host;       /* "registry-1.docker.io", "localhost:5000" */
	const char *repository; /* "library/debian"; NULL: the registry as a whole */
	const char *name;       /* of errors; NULL: HOST/REPOSITORY */
	bool is_insecure;       /* plain http and any certificate will do; plain http on loopback always does */
	const struct http_tls *tls;
	const struct credentials *credentials; /* NULL: nobody */
	const char *actions;    /* "pull", "pull,push" */
	unsigned tries;         /* of each request; 0: REMOTE_TRIES */
	/* What people should know while nothing happens ("waits 5 s ..."); may be NULL. */
	void (*note)(void *context, const char *text);
	void *context;
};
enum { REMOTE_TRIES = 4, REMOTE_WAIT_MAX_S = 60 };

/* What O points to must live as long. */
struct remote *remote_new(const struct remote_options *o);
void remote_free(struct remote *r);
CLEANUP_DEFINE(struct remote *, remote_free)

struct remote_call {
	const char *method; /* NULL: GET */
	const char *path;   /* "blobs/sha256:..." below the repository; "/v2/..." of the registry; or a URL that it named */
	const char *scope;  /* what else a token must allow: "repository:from:pull", or NULL */
	const char *const *headers;
	const void *body;
	int body_fd;
	uint64_t body_offset, body_len;
	const unsigned *fine; /* statuses from 400 on that the caller understands; ends with 0; NULL: none */
	void (*sent)(void *context, uint64_t bytes);
	void *context;
	/* A request with a body is sent once, and again only for authorization or when it was put off. */
	bool is_once;
};

/* The reply's status is below 400 or one of the fine ones.  -ENOENT (404), -EACCES (401, 403), -EBUSY (429 for too long)
 * and so on say it in the registry's own words. */
int remote_open(struct remote *r, const struct remote_call *c, struct http_reply **ret, struct nook_error *e);
/* The error for a status that the caller did not want after all; the body is read for the registry's words. */
int remote_refused(const struct remote *r, struct http_reply *reply, struct nook_error *e);
/* "host/repository" for messages. */
const char *remote_name(const struct remote *r);
int remote_wait(struct remote *r, int64_t ms, struct nook_error *e);
