/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "image/config.h"

#include "base/text.h"
#include "image/digest.h"
#include "json/bind.h"

#include <stdio.h>
#include <time.h>

enum { NS_PER_SECOND = 1000000000, HISTORY_MAX = 4096 };

/* ---- tables -------------------------------------------------------------------------------------------------------- */

/* A list, or one string, which old builders wrote. */
static int read_words(struct bind_reader *r, struct json *value, void *member, struct nook_error *e)
{
	const char **list;
	size_t n;

	if (json_is(value, JSON_STRING)) {
		list = arena_new_n(r->arena, const char *, 2);
		TRY(bind_read_string(r, value, &list[0], e));
		*(const char *const **)member = list;
		return 0;
	}
	TRY(bind_expect(r, value, JSON_ARRAY, e));
	n = json_length(value);
	if (n > HISTORY_MAX)
		return bind_refuse(r, e, "more than %d words", HISTORY_MAX);
	list = arena_new_n(r->arena, const char *, n + 1);
	for (size_t i = 0; i < n; i++)
		TRY(bind_read_string(r, json_at(value, i), &list[i], e));
	*(const char *const **)member = list;
	return 0;
}

static void write_words(struct json_out *o, const char *key, const void *member)
{
	const char *const *list = *(const char *const *const *)member;

	if (list)
		json_out_strings(o, key, list);
}

/* {"/data": {}}: only the keys mean anything. */
static int read_keys(struct bind_reader *r, struct json *value, void *member, struct nook_error *e)
{
	const char **list = NULL;
	size_t n = 0;

	TRY(bind_expect(r, value, JSON_OBJECT, e));
	for (size_t i = 0; i < json_length(value); i++)
		*arena_push(r->arena, &list, &n) = arena_strdup(r->arena, json_key_at(value, i));
	*(const char *const **)member = list;
	return 0;
}

static void write_keys(struct json_out *o, const char *key, const void *member)
{
	const char *const *list = *(const char *const *const *)member;

	if (!list)
		return;
	json_out_object(o, key);
	for (; *list; list++) {
		json_out_object(o, *list);
		json_out_object_end(o);
	}
	json_out_object_end(o);
}

static int read_text(struct bind_reader *r, struct json *value, void *member, struct nook_error *e)
{
	AUTO_VALUE(buf_done) struct buf text = {0};

	(void)e;
	json_text(value, &text);
	*(const char **)member = arena_strdup(r->arena, buf_text(&text));
	return 0;
}

static void write_text(struct json_out *o, const char *key, const void *member)
{
	const char *text = *(const char *const *)member;
	AUTO(json_free) struct json *tree = NULL;

	if (text && json_parse(text, strlen(text), key, STEP_IMAGE, &tree, NULL) == 0)
		json_out_tree(o, key, tree);
}

static const struct bind_custom words = {read_words, write_words}, keys = {read_keys, write_keys}, tree = {read_text, write_text};

static const struct bind run_table[] = {
	{AT(struct image_run, user), BIND_STRING, "User"},
	{AT(struct image_run, ports), BIND_CUSTOM, "ExposedPorts", .custom = &keys},
	{AT(struct image_run, env), BIND_STRINGS, "Env"},
	{AT(struct image_run, entrypoint), BIND_CUSTOM, "Entrypoint", .custom = &words},
	{AT(struct image_run, cmd), BIND_CUSTOM, "Cmd", .custom = &words},
	{AT(struct image_run, volumes), BIND_CUSTOM, "Volumes", .custom = &keys},
	{AT(struct image_run, workdir), BIND_STRING, "WorkingDir"},
	{LIST(struct image_run, labels, n_labels), BIND_MAP, "Labels"},
	{AT(struct image_run, stop_signal), BIND_STRING, "StopSignal"},
	{AT(struct image_run, healthcheck), BIND_CUSTOM, "Healthcheck", .custom = &tree},
	{AT(struct image_run, on_build), BIND_STRINGS, "OnBuild"},
	{AT(struct image_run, shell), BIND_CUSTOM, "Shell", .custom = &words},
	{0},
};

static const struct bind history_table[] = {
	{AT(struct image_history, created), BIND_STRING, "created"},
	{AT(struct image_history, created_by), BIND_STRING, "created_by"},
	{AT(struct image_history, author), BIND_STRING, "author"},
	{AT(struct image_history, comment), BIND_STRING, "comment"},
	{AT(struct image_history, empty_layer), BIND_BOOL, "empty_layer"},
	{0},
};

struct rootfs {
	const char *type;
	const char *const *diff_ids;
	size_t n;
};

static const struct bind rootfs_table[] = {
	{AT(struct rootfs, type), BIND_STRING, "type"},
	{LIST(struct rootfs, diff_ids, n), BIND_STRINGS, "diff_ids", .flags = BIND_ALWAYS},
	{0},
};

/* The document: what has a place of its own in the file. */
struct document {
	struct image_config c;
	struct rootfs rootfs;
	bool has_rootfs;
};

static const struct bind document_table[] = {
	{AT(struct document, c.created), BIND_STRING, "created"},
	{AT(struct document, c.author), BIND_STRING, "author"},
	{AT(struct document, c.platform.architecture), BIND_STRING, "architecture"},
	{AT(struct document, c.platform.variant), BIND_STRING, "variant"},
	{AT(struct document, c.platform.os), BIND_STRING, "os"},
	{AT(struct document, c.platform.os_version), BIND_STRING, "os.version"},
	{AT(struct document, c.platform.os_features), BIND_STRINGS, "os.features"},
	{AT(struct document, c.run), BIND_STRUCT, "config", .table = run_table},
	{HAS(struct document, rootfs, has_rootfs), BIND_STRUCT, "rootfs", .table = rootfs_table},
	{LIST(struct document, c.history, c.n_history), BIND_ARRAY, "history", .table = history_table},
	{0},
};

/* ---- reading and writing ------------------------------------------------------------------------------------------- */

int image_config_parse(const char *text, size_t len, size_t n_layers, const char *name, struct arena *a,
	struct image_config *ret, struct nook_error *e)
{
	AUTO(json_free) struct json *root = NULL;
	struct document d = {0};

	if (len > CONFIG_BYTES_MAX)
		return err_fmt(e, STEP_IMAGE, name, EFBIG, "has a config of %zu bytes, but at most %d are read", len, CONFIG_BYTES_MAX);
	TRY(json_parse(text, len, name, STEP_IMAGE, &root, e));
	TRY(bind_read(root, document_table, &d, a, NULL, STEP_IMAGE, e));
	if (d.rootfs.type && !text_is(d.rootfs.type, "layers"))
		return err_fmt(e, STEP_IMAGE, name, EINVAL, "has a root of type \"%.60s\", and only \"layers\" is known", d.rootfs.type);
	if (d.rootfs.n != n_layers)
		return err_fmt(e, STEP_IMAGE, name, EINVAL, "has %zu layers, but its config names %zu", n_layers, d.rootfs.n);
	for (size_t i = 0; i < d.rootfs.n; i++)
		if (!digest_is_valid(d.rootfs.diff_ids[i]))
			return err_fmt(e, STEP_IMAGE, name, EINVAL, "layer %zu has no DiffID that can be trusted: \"%.80s\"", i + 1,
				d.rootfs.diff_ids[i]);
	d.c.diff_ids = d.rootfs.diff_ids;
	d.c.n_diff_ids = d.rootfs.n;
	*ret = d.c;
	return 0;
}

const char *image_config_text(const struct image_config *c, struct arena *a)
{
	AUTO_VALUE(buf_done) struct buf text = {0};
	const struct document d = {.c = *c, .rootfs = {"layers", c->diff_ids, c->n_diff_ids}, .has_rootfs = true};

	bind_text(document_table, &d, JSON_PLAIN, &text);
	return arena_strndup(a, buf_text(&text), text.len);
}

/* ---- changes ------------------------------------------------------------------------------------------------------- */

static int refuse(const char *instruction, struct nook_error *e, const char *why)
{
	return err_why(e, STEP_OPTION, instruction, EINVAL, why);
}

/* ["a", "b"], or words for a shell. */
static int command_words(const struct image_config *c, const char *instruction, const char *rest, struct arena *a,
	const char *const **ret, struct nook_error *e)
{
	AUTO(json_free) struct json *array = NULL;
	const char **list = NULL;
	size_t n = 0;

	if (*rest != '[') {
		for (const char *const *s = c->run.shell; s && *s; s++)
			*arena_push(a, &list, &n) = *s;
		if (!n) {
			*arena_push(a, &list, &n) = "/bin/sh";
			*arena_push(a, &list, &n) = "-c";
		}
		*arena_push(a, &list, &n) = arena_strdup(a, rest);
		*ret = list;
		return 0;
	}
	if (json_parse(rest, strlen(rest), instruction, STEP_OPTION, &array, NULL) < 0 || !json_is(array, JSON_ARRAY))
		return refuse(instruction, e, "is no JSON array of strings");
	list = arena_new_n(a, const char *, json_length(array) + 1);
	for (size_t i = 0; i < json_length(array); i++) {
		struct json *word = json_at(array, i);

		if (!json_is(word, JSON_STRING))
			return refuse(instruction, e, "is no JSON array of strings");
		list[i] = arena_strdup(a, json_string(word));
	}
	*ret = list;
	return 0;
}

/* "A=b", "A b", with quotes around the value taken off. */
static int pair_split(const char *instruction, const char *rest, struct arena *a, const char **ret_key, const char **ret_value,
	struct nook_error *e)
{
	const size_t n = strcspn(rest, "= \t");
	const char *value = rest + n;
	size_t len;

	if (!n || !*value)
		return refuse(instruction, e, "needs a name and a value");
	value += *value == '=' ? 1 : strspn(value, " \t");
	len = strlen(value);
	if (len >= 2 && (*value == '"' || *value == '\'') && value[len - 1] == *value) {
		value++;
		len -= 2;
	}
	*ret_key = arena_strndup(a, rest, n);
	*ret_value = arena_strndup(a, value, len);
	return 0;
}

static void list_add(const char *const **list, const char *word, struct arena *a)
{
	const char **longer = NULL;
	size_t n = 0;

	for (const char *const *s = *list; s && *s; s++)
		if (!text_is(*s, word))
			*arena_push(a, &longer, &n) = *s;
	*arena_push(a, &longer, &n) = word;
	*list = longer;
}

static void env_set(struct image_config *c, const char *key, const char *value, struct arena *a)
{
	const char *text = arena_printf(a, "%s=%s", key, value);
	const char **list = NULL;
	size_t n = 0;

	for (const char *const *s = c->run.env; s && *s; s++) {
		const char *rest = text_after(*s, key);

		if (!rest || *rest != '=')
			*arena_push(a, &list, &n) = *s;
	}
	*arena_push(a, &list, &n) = text;
	c->run.env = list;
}

static int words_add(const char *const **list, const char *rest, const char *suffix, struct arena *a)
{
	char *save = NULL, *copy = arena_strdup(a, rest);

	for (char *word = strtok_r(copy, " \t", &save); word; word = strtok_r(NULL, " \t", &save))
		list_add(list, strchr(word, '/') ? word : arena_printf(a, "%s%s", word, suffix), a);
	return 0;
}

enum instruction { CMD, ENTRYPOINT, ENV, LABEL, USER, WORKDIR, EXPOSE, VOLUME, STOPSIGNAL, ONBUILD, SHELL, HEALTHCHECK };

int image_config_change(struct image_config *c, const char *instruction, struct arena *a, struct nook_error *e)
{
	static const char *const names[] = {
		[CMD] = "CMD", [ENTRYPOINT] = "ENTRYPOINT", [ENV] = "ENV", [LABEL] = "LABEL", [USER] = "USER", [WORKDIR] = "WORKDIR",
		[EXPOSE] = "EXPOSE", [VOLUME] = "VOLUME", [STOPSIGNAL] = "STOPSIGNAL", [ONBUILD] = "ONBUILD", [SHELL] = "SHELL",
		[HEALTHCHECK] = "HEALTHCHECK",
	};
	/* Both forms: "CMD x" and podman's "CMD=x". */
	const size_t n = strcspn(instruction, " \t=");
	const char *rest = instruction + n, *key = "", *value = "";
	int which = -1;

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (strlen(names[i]) == n && strncasecmp(names[i], instruction, n) == 0)
			which = (int)i;
	rest += *rest == '=';
	rest += strspn(rest, " \t");
	if (which < 0)
		return refuse(instruction, e,
			"is none of CMD, ENTRYPOINT, ENV, LABEL, USER, WORKDIR, EXPOSE, VOLUME, STOPSIGNAL, ONBUILD, SHELL, HEALTHCHECK");
	if (!*rest)
		return refuse(instruction, e, "says nothing behind its word");
	switch ((enum instruction)which) {
	case CMD:
		return command_words(c, instruction, rest, a, &c->run.cmd, e);
	case ENTRYPOINT:
		c->run.cmd = NULL; /* it was meant for the former entry point */
		return command_words(c, instruction, rest, a, &c->run.entrypoint, e);
	case SHELL:
		return *rest == '[' ? command_words(c, instruction, rest, a, &c->run.shell, e)
				    : refuse(instruction, e, "is no JSON array of strings");
	case ENV:
		TRY(pair_split(instruction, rest, a, &key, &value, e));
		env_set(c, key, value, a);
		return 0;
	case LABEL:
		TRY(pair_split(instruction, rest, a, &key, &value, e));
		spec_pair_set(a, &c->run.labels, &c->run.n_labels, key, value);
		return 0;
	case USER:
		c->run.user = arena_strdup(a, rest);
		return 0;
	case WORKDIR:
		if (*rest != '/')
			return refuse(instruction, e, "is no absolute path");
		c->run.workdir = arena_strdup(a, rest);
		return 0;
	case STOPSIGNAL:
		c->run.stop_signal = arena_strdup(a, rest);
		return 0;
	case ONBUILD:
		list_add(&c->run.on_build, arena_strdup(a, rest), a);
		return 0;
	case EXPOSE:
		return words_add(&c->run.ports, rest, "/tcp", a);
	case VOLUME:
		if (*rest == '[') {
			const char *const *list = NULL;

			TRY(command_words(c, instruction, rest, a, &list, e));
			for (; list && *list; list++)
				list_add(&c->run.volumes, *list, a);
			return 0;
		}
		return words_add(&c->run.volumes, rest, "", a);
	case HEALTHCHECK:
		return refuse(instruction, e, "cannot be changed like this");
	}
	return 0;
}

/* ---- times --------------------------------------------------------------------------------------------------------- */

int64_t image_time(const char *text)
{
	struct tm tm = {0};
	int64_t ns = 0, scale = NS_PER_SECOND / 10;
	int hours = 0, minutes = 0;
	char sign = 0;
	const char *rest = text ? strptime(text, "%Y-%m-%dT%H:%M:%S", &tm) : NULL;

	if (!rest)
		return 0;
	if (*rest == '.')
		for (rest++; *rest >= '0' && *rest <= '9'; rest++, scale /= 10)
			ns += (*rest - '0') * scale;
	if (*rest != 'Z' && sscanf(rest, "%c%2d:%2d", &sign, &hours, &minutes) != 3)
		return 0;
	/* Beyond these years nanoseconds do not fit. */
	if (tm.tm_year < 70 || tm.tm_year > 360)
		return 0;
	return ((int64_t)timegm(&tm) - (sign == '-' ? -1 : 1) * (hours * 3600 + minutes * 60)) * NS_PER_SECOND + ns;
}

const char *image_time_text(int64_t ns, struct arena *a)
{
	const time_t seconds = (time_t)(ns / NS_PER_SECOND);
	char text[32] = "";
	struct tm tm;

	if (gmtime_r(&seconds, &tm))
		(void)strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S", &tm);
	return arena_printf(a, "%s.%09lldZ", text, (long long)(ns % NS_PER_SECOND));
}
