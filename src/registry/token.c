/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "registry/token.h"

#include "base/text.h"
#include "http/url.h"
#include "registry/answer.h"
#include "registry/challenge.h"

#include <string.h>

enum { TOKEN_BODY_MAX = 1 << 20 };

bool token_scope_add(struct token_scopes *s, const char *scope, struct arena *a)
{
	for (size_t i = 0; i < s->n; i++)
		if (text_is(s->items[i], scope))
			return false;
	if (s->n == TOKEN_SCOPES_MAX)
		return false;
	*arena_push(a, &s->items, &s->n) = scope;
	return true;
}

static const struct challenge *find(const struct challenge *list, size_t n, enum challenge_scheme scheme)
{
	for (size_t i = 0; i < n; i++)
		if (list[i].scheme == scheme)
			return &list[i];
	return NULL;
}

static void add_parameter(struct buf *b, const char *name, const char *value)
{
	auto_free char *escaped = url_escape(value);

	buf_addf(b, "%s%s=%s", b->len ? "&" : "", name, escaped);
}

/* Is all that THEIRS ("repository:x:pull") allows in OURS ("repository:x:pull,push")? */
static bool covers(const char *ours, const char *theirs)
{
	const char *colon = strrchr(theirs, ':');
	size_t len = colon ? (size_t)(colon - theirs) + 1 : 0;

	if (!len || strncmp(ours, theirs, len) != 0)
		return false;
	for (const char *word = theirs + len; *word;) {
		size_t n = strcspn(word, ",");
		bool found = false;

		for (const char *at = ours + len; *at && !found; at += strcspn(at, ","), at += *at == ',')
			found = strcspn(at, ",") == n && memcmp(at, word, n) == 0;
		if (!found)
			return false;
		word += n + (word[n] == ',');
	}
	return true;
}

/* Our own scopes and the one that the registry asks for. */
static void add_scopes(struct buf *b, const struct token_request *q, const struct challenge *c)
{
	bool has_theirs = !c->scope || !*c->scope;

	for (size_t i = 0; i < q->scopes->n; i++) {
		has_theirs |= c->scope && covers(q->scopes->items[i], c->scope);
		add_parameter(b, "scope", q->scopes->items[i]);
	}
	if (!has_theirs)
		add_parameter(b, "scope", c->scope);
}

/* Form of oauth2, where scopes are one parameter. */
static void add_refresh(struct buf *b, const struct token_request *q, const struct challenge *c)
{
	AUTO_VALUE(buf_done) struct buf scopes = {0};

	for (size_t i = 0; i < q->scopes->n; i++)
		buf_addf(&scopes, "%s%s", i ? " " : "", q->scopes->items[i]);
	add_parameter(b, "grant_type", "refresh_token");
	add_parameter(b, "refresh_token", q->credentials->identity_token);
	add_parameter(b, "client_id", "nook");
	if (c->service)
		add_parameter(b, "service", c->service);
	if (scopes.len || c->scope)
		add_parameter(b, "scope", scopes.len ? buf_text(&scopes) : c->scope);
}

static int refused(const struct token_request *q, struct http_reply *reply, struct nook_error *e)
{
	AUTO_VALUE(buf_done) struct buf body = {0};
	AUTO(arena_free) struct arena *a = arena_new();
	unsigned status = http_status(reply);
	int errnum = status == 429 ? EBUSY : status >= 500 ? EIO : EACCES;
	const char *words = NULL;

	if (http_read_all(reply, TOKEN_BODY_MAX, &body, NULL) >= 0)
		words = answer_error(buf_text(&body), body.len, a);
	if (errnum == EACCES && !words)
		words = q->credentials ? "user name or password is wrong" : "nobody is logged in";
	return err_fmt(e, STEP_REGISTRY, q->name, errnum, "%s (token server, HTTP %u)", words ? words : "no token", status);
}

/* Asks the realm; *ret is the token, in A. */
static int fetch(const struct token_request *q, const struct challenge *c, struct arena *a, const char **ret, struct nook_error *e)
{
	static const char *const form_headers[] = {"Content-Type: application/x-www-form-urlencoded", NULL};
	bool is_refresh = q->credentials && q->credentials->identity_token;
	auto_free char *realm = c->realm ? url_resolve(q->base, c->realm) : NULL;
	struct http_tls tls = q->tls ? *q->tls : (struct http_tls){0};
	AUTO(http_close) struct http_reply *reply = NULL;
	AUTO_VALUE(buf_done) struct buf parameters = {0};
	AUTO_VALUE(buf_done) struct buf body = {0};
	struct http_request request = {.plain = q->plain, .tls = &tls};

	if (!realm)
		return err_fmt(e, STEP_REGISTRY, q->name, EPROTO, "the registry sends for a token to no http address: %.80s",
			c->realm ? c->realm : "");
	if (url_is_plain(realm) && !url_is_plain(q->base))
		return err_fmt(e, STEP_REGISTRY, q->name, EPERM, "the registry sends for a token from https to http: %.80s", realm);
	tls.is_unchecked |= q->is_insecure;
	if (!url_same_origin(realm, q->base))
		tls.client_cert = tls.client_key = NULL;
	if (is_refresh) {
		add_refresh(&parameters, q, c);
		request.method = "POST";
		request.headers = form_headers;
		request.body = buf_text(&parameters);
		request.body_len = parameters.len;
		request.url = realm;
	} else {
		if (c->service)
			add_parameter(&parameters, "service", c->service);
		add_scopes(&parameters, q, c);
		request.url = arena_printf(a, "%s%s%s", realm, strchr(realm, '?') ? "&" : "?", buf_text(&parameters));
		if (q->credentials)
			request.authorization = arena_printf(a, "Basic %s", credentials_encode(q->credentials, a));
	}
	TRY(http_open(q->http, &request, &reply, e));
	if (http_status(reply) != 200)
		return refused(q, reply, e);
	TRY(http_read_all(reply, TOKEN_BODY_MAX, &body, e));
	return answer_token(buf_text(&body), body.len, q->name, a, ret, e);
}

int token_authorize(const struct token_request *q, const struct http_reply *reply, char **ret, struct nook_error *e)
{
	AUTO(arena_free) struct arena *a = arena_new();
	const struct challenge *bearer, *basic;
	struct challenge *list = NULL;
	size_t n = 0, at = 0;
	const char *value, *token = NULL;

	while ((value = http_header_next(reply, "WWW-Authenticate", &at)))
		challenge_parse(value, a, &list, &n);
	bearer = find(list, n, CHALLENGE_BEARER);
	basic = find(list, n, CHALLENGE_BASIC);
	if (bearer) {
		TRY(fetch(q, bearer, a, &token, e));
		*ret = xasprintf("Bearer %s", token);
		return 0;
	}
	if (!basic)
		return err_why(e, STEP_REGISTRY, q->name, EACCES, "the registry asks for an authorization that nook does not know");
	if (!q->credentials || !q->credentials->username)
		return err_why(e, STEP_REGISTRY, q->name, EACCES, "the registry wants a user name and password");
	*ret = xasprintf("Basic %s", credentials_encode(q->credentials, a));
	return 0;
}
