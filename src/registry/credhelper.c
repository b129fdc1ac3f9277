/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "registry/credhelper.h"

#include "base/spawn.h"
#include "base/text.h"
#include "json/bind.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>

enum { STATUS_NONE = 1 };

struct answer {
	const char *server, *username, *secret;
};

static const struct bind answer_table[] = {
	{AT(struct answer, server), BIND_STRING, "ServerURL"},
	{AT(struct answer, username), BIND_STRING, "Username", .flags = BIND_ALWAYS},
	{AT(struct answer, secret), BIND_STRING, "Secret", .flags = BIND_ALWAYS},
	{0},
};

/* What helpers call a user who has an identity token instead of a password. */
static const char token_user[] = "<token>";

/* Users keep helpers in places of their own, so their PATH is searched; empty and relative parts are not. */
static int find(const char *name, char *path, size_t size, struct nook_error *e)
{
	const char *at = getenv("PATH");

	if (!*name || name[strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-")])
		return err_why(e, STEP_REGISTRY, name, EINVAL, "is no name of a credential helper");
	while (at && *at) {
		size_t len = strcspn(at, ":");

		if (*at == '/' && snprintf(path, size, "%.*s/docker-credential-%s", (int)len, at, name) < (int)size &&
			access(path, X_OK) == 0)
			return 0;
		at += len + (at[len] == ':');
	}
	return err_fmt(e, STEP_SPAWN, name, ENOENT, "there is no program docker-credential-%s", name);
}

int credhelper_spawn(const char *name, const char *verb, const char *input, struct buf *out, struct nook_error *e)
{
	char path[PATH_MAX];
	const char *const argv[] = {path, verb, NULL};
	auto_close int complaints = open("/dev/null", O_WRONLY | O_CLOEXEC);
	const struct spawn s = {.argv = argv, .envp = (const char *const *)environ, .input = input, .input_len = strlen(input),
		.stderr_fd = complaints};
	int status;

	TRY(find(name, path, sizeof(path), e));
	status = TRY(spawn_run(&s, out, e));
	if (out->len > CREDHELPER_ANSWER_MAX)
		return err_fmt(e, STEP_REGISTRY, name, EFBIG, "docker-credential-%s %s prints more than %d KiB", name, verb, CREDHELPER_ANSWER_MAX >> 10);
	return status;
}

/* Returns its exit status; OUT gets what it printed. */
static int run(const struct credhelper *h, const char *verb, const char *input, struct buf *out, struct nook_error *e)
{
	return h->host ? h->host->run(h->host->context, h->name, verb, input, out, e) : credhelper_spawn(h->name, verb, input, out, e);
}

static int refused(const char *name, const char *verb, const struct buf *out, struct nook_error *e)
{
	return err_fmt(e, STEP_REGISTRY, name, EIO, "docker-credential-%s %s: %.*s", name, verb,
		(int)strcspn(buf_text(out), "\n"), buf_text(out));
}

int credhelper_get(const struct credhelper *h, const char *server, struct arena *a, struct credentials *ret, struct nook_error *e)
{
	AUTO_VALUE(buf_done) struct buf out = {0};
	AUTO(json_free) struct json *root = NULL;
	struct answer answer = {0};
	int status = TRY(run(h, "get", server, &out, e));

	if (status == STATUS_NONE && strstr(buf_text(&out), "not found"))
		return 1;
	if (status != 0)
		return refused(h->name, "get", &out, e);
	TRY(json_parse(buf_text(&out), out.len, arena_printf(a, "docker-credential-%s", h->name), STEP_REGISTRY, &root, e));
	TRY(bind_read(root, answer_table, &answer, a, NULL, STEP_REGISTRY, e));
	if (!answer.secret || !*answer.secret)
		return 1;
	if (answer.username && text_is(answer.username, token_user))
		*ret = (struct credentials){.identity_token = answer.secret};
	else
		*ret = (struct credentials){.username = answer.username ? answer.username : "", .password = answer.secret};
	return 0;
}

int credhelper_store(const struct credhelper *h, const char *server, const struct credentials *c, struct nook_error *e)
{
	struct answer entry = {server, c->identity_token ? token_user : c->username,
		c->identity_token ? c->identity_token : c->password};
	AUTO_VALUE(buf_done) struct buf text = {0};
	AUTO_VALUE(buf_done) struct buf out = {0};

	bind_text(answer_table, &entry, JSON_PLAIN, &text);
	return TRY(run(h, "store", buf_text(&text), &out, e)) == 0 ? 0 : refused(h->name, "store", &out, e);
}

int credhelper_erase(const struct credhelper *h, const char *server, struct nook_error *e)
{
	AUTO_VALUE(buf_done) struct buf out = {0};
	int status = TRY(run(h, "erase", server, &out, e));

	if (status == STATUS_NONE && strstr(buf_text(&out), "not found"))
		return 1;
	return status == 0 ? 0 : refused(h->name, "erase", &out, e);
}
