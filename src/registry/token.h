/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The answer to 401: Basic, or a token from the place that the registry names (distribution's token authentication). */
#pragma once

#include "http/http.h"
#include "registry/credentials.h"

enum { TOKEN_SCOPES_MAX = 16 };

/* "repository:library/debian:pull" */
struct token_scopes {
	const char **items;
	size_t n;
};

/* Was it new? */
bool token_scope_add(struct token_scopes *s, const char *scope, struct arena *a);

struct token_request {
	struct http *http;
	const char *name; /* of errors */
	const char *base; /* URL that said 401 */
	enum http_plain plain;
	bool is_insecure;
	const struct http_tls *tls;
	const struct credentials *credentials; /* or NULL */
	const struct token_scopes *scopes;
};

/* The value of Authorization, on the heap.  -EACCES when nothing can be offered or the credentials are refused. */
int token_authorize(const struct token_request *q, const struct http_reply *reply, char **ret, struct nook_error *e);
