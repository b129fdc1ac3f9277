/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "transfer/reach.h"

#include "base/fd.h"
#include "base/text.h"
#include "registry/certs.h"
#include "transfer/walls.h"

#include <string.h>

enum { NS_PER_MS = 1000000, RETRY_MAX = 100 };

static const char *directory_of(const char *file, struct arena *a)
{
	const char *slash = strrchr(file, '/');

	return !slash ? "." : slash == file ? "/" : arena_strndup(a, file, (size_t)(slash - file));
}

static int shut_in(struct reach *r, enum reach_writes writes, const char *file, struct nook_error *e)
{
	struct walls w = {.cert_dir = r->access->cert_dir, .auth_files = r->auth.files};
	const char *missing = NULL;

	if (file)
		w.written_in = directory_of(file, r->arena);
	if (writes == REACH_LOGIN)
		w.written_in = directory_of(r->auth.files[0], r->arena);
	if (writes == REACH_DEPOT)
		w.images = arena_printf(r->arena, "%s/images", r->cli->root);
	/* Only what is there can be let through. */
	if (w.images)
		close_fd(&(int){TRY(dir_make(w.images, 0700, e))});
	if (writes == REACH_LOGIN)
		close_fd(&(int){TRY(dir_make(w.written_in, 0700, e))});
	TRY(walls_raise(&w, r->arena, &missing, e));
	if (missing)
		cli_debug(r->cli, "what speaks to the registry is not kept from files by Landlock: %s", missing);
	return 0;
}

int reach_open(struct cli *c, const struct access_options *access, enum reach_writes writes, const char *file, struct reach *ret,
	struct nook_error *e)
{
	struct http_options options = {0};

	*ret = (struct reach){.cli = c, .access = access, .arena = c->arena};
	if (access->timeout.set) {
		int64_t ms = access->timeout.value / NS_PER_MS;

		if (ms <= 0 || ms > INT32_MAX)
			return err_why(e, STEP_OPTION, "--timeout", EINVAL, "is not between 1ms and 24 days");
		options.connect_ms = options.silence_ms = (int)ms;
	}
	if (access->tls_verify && *access->tls_verify && !text_is(access->tls_verify, "true") && !text_is(access->tls_verify, "false"))
		return err_why(e, STEP_OPTION, "--tls-verify", EINVAL, "is neither true nor false");
	TRY(registries_load(c->arena, &ret->conf, e));
	credential_places_default(access->authfile, c->arena, &ret->auth);
	TRY(starter_start(&ret->starter, c->root, e));
	ret->auth.helpers = &ret->starter.helpers;
	TRY(shut_in(ret, writes, file, e));
	return http_new(&options, &ret->http, e);
}

void reach_done(struct reach *r)
{
	http_free(take_ptr(&r->http));
	starter_done(&r->starter);
}

int reach_depot(struct reach *r, struct arena *a, struct depot **ret, struct nook_error *e)
{
	TRY(depot_open(r->cli->root, DEPOT_WRITE, a, ret, e));
	(*ret)->unpackers = &r->starter.unpackers;
	return 0;
}

unsigned reach_tries(const struct reach *r)
{
	const struct opt_u64 *retry = &r->access->retry;

	return retry->set ? (unsigned)(retry->value < RETRY_MAX ? retry->value : RETRY_MAX) + 1 : REMOTE_TRIES;
}

static void note(void *context, const char *text)
{
	cli_note(context, "%s", text);
}

static int make(struct reach *r, const struct registries_place *place, const char *repository, const char *actions,
	const struct credentials *c, struct remote **ret, struct nook_error *e)
{
	struct http_tls *tls = arena_new_of(r->arena, struct http_tls);
	const struct remote_options o = {
		.http = r->http, .host = place->host, .repository = repository, .tls = tls, .credentials = c, .actions = actions,
		.is_insecure = place->insecure || (r->access->tls_verify && text_is(r->access->tls_verify, "false")),
		.tries = reach_tries(r),
		.note = note, .context = r->cli,
	};

	TRY(certs_load(place->host, r->access->cert_dir, r->arena, tls, e));
	*ret = remote_new(&o);
	return 0;
}

/* Where docker.io really is, and what people and auth files call it. */
static const char docker_io[] = "docker.io", docker_host[] = "registry-1.docker.io";

int reach_remote(struct reach *r, const struct registries_place *place, const char *actions, struct remote **ret, struct nook_error *e)
{
	struct credentials *c = arena_new_of(r->arena, struct credentials);
	const char *registry = text_is(place->host, docker_host) ? docker_io : place->host;
	int found = TRY(credentials_find(&r->auth, registry, place->repository, r->arena, c, e));

	return make(r, place, place->repository, actions, found == 0 ? c : NULL, ret, e);
}

int reach_registry(struct reach *r, const char *host, const struct credentials *c, struct remote **ret, struct nook_error *e)
{
	struct registries_place *list = NULL;
	size_t n = 0;

	/* The last place is the registry itself. */
	TRY(registries_places(&r->conf, host, "", REGISTRIES_BY_TAG, r->arena, &list, &n, e));
	if (!c) {
		struct credentials *kept = arena_new_of(r->arena, struct credentials);

		c = TRY(credentials_find(&r->auth, host, NULL, r->arena, kept, e)) == 0 ? kept : NULL;
	}
	return make(r, &list[n - 1], NULL, NULL, c, ret, e);
}

int reach_names(struct reach *r, const char *text, struct reference **ret, size_t *ret_n, struct nook_error *e)
{
	struct reference *list = NULL, given;
	const char *alias, *tail;
	size_t n = 0;

	TRY(reference_parse(text, r->arena, &given, e));
	tail = given.is_short ? text + strlen(given.given_path) : NULL;
	alias = given.is_short ? registries_alias(&r->conf, given.given_path) : NULL;
	if (alias) {
		TRY(reference_parse(arena_printf(r->arena, "%s%s", alias, tail), r->arena, arena_push(r->arena, &list, &n), e));
	} else if (given.is_short && r->conf.search) {
		for (const char *const *host = r->conf.search; *host; host++)
			TRY(reference_parse(arena_printf(r->arena, "%s/%s", *host, text), r->arena, arena_push(r->arena, &list, &n), e));
	} else {
		*arena_push(r->arena, &list, &n) = given;
	}
	*ret = list;
	*ret_n = n;
	return 0;
}
