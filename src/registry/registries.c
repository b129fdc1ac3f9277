/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "registry/registries.h"

#include "base/names.h"
#include "base/text.h"
#include "json/bind.h"
#include "json/toml.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { FILE_MAX = 1 << 20, MIRRORS_MAX = 64, ENTRIES_MAX = 4096 };

/* ---- reading -------------------------------------------------------------------------------------------------------- */

static const struct bind_word pull_words[] = {
	{"all", REGISTRIES_PULL_ALL},
	{"digest-only", REGISTRIES_PULL_DIGEST},
	{"tag-only", REGISTRIES_PULL_TAG},
	{0},
};

static const struct bind mirror_table[] = {
	{AT(struct registries_mirror, location), BIND_STRING, "location", .flags = BIND_REQUIRED},
	{AT(struct registries_mirror, insecure), BIND_BOOL, "insecure"},
	{AT(struct registries_mirror, pull_from_mirror), BIND_WORD, "pull-from-mirror", .words = pull_words},
	{0},
};

static const struct bind entry_table[] = {
	{AT(struct registries_entry, prefix), BIND_STRING, "prefix"},
	{AT(struct registries_entry, location), BIND_STRING, "location"},
	{AT(struct registries_entry, insecure), BIND_BOOL, "insecure"},
	{AT(struct registries_entry, blocked), BIND_BOOL, "blocked"},
	{AT(struct registries_entry, mirror_by_digest_only), BIND_BOOL, "mirror-by-digest-only"},
	{LIST(struct registries_entry, mirrors, n_mirrors), BIND_ARRAY, "mirror", .table = mirror_table},
	{0},
};

struct file {
	const char *const *search;
	struct registries_entry *entries;
	size_t n_entries;
	struct registries_alias *aliases;
	size_t n_aliases;
};

static const struct bind file_table[] = {
	{AT(struct file, search), BIND_STRINGS, "unqualified-search-registries"},
	{LIST(struct file, entries, n_entries), BIND_ARRAY, "registry", .table = entry_table},
	{LIST(struct file, aliases, n_aliases), BIND_MAP, "aliases"},
	{0},
};

/* A registry, or a registry with a path: no scheme, no slash at either end, no blanks. */
static int check_location(const char *name, const char *location, struct nook_error *e)
{
	size_t len = strlen(location);

	for (size_t i = 0; i < len; i++)
		if (!isgraph((unsigned char)location[i]) || strchr("\"'?#@\\", location[i]))
			return err_fmt(e, STEP_REGISTRY, name, EINVAL, "\"%.80s\" is no place of a registry", location);
	if (!len || strstr(location, "://") || strstr(location, "//") || location[0] == '/' || location[len - 1] == '/')
		return err_fmt(e, STEP_REGISTRY, name, EINVAL, "\"%.80s\" is no place of a registry: no scheme, no slash at the ends", location);
	return 0;
}

static int check_entry(struct registries_entry *r, const char *name, struct nook_error *e)
{
	bool has_wildcard;

	if (!r->prefix)
		r->prefix = r->location;
	if (!r->prefix || !*r->prefix)
		return err_why(e, STEP_REGISTRY, name, EINVAL, "a [[registry]] has neither prefix nor location");
	has_wildcard = text_after(r->prefix, "*.");
	if (!has_wildcard && (!r->location || !*r->location))
		r->location = r->prefix;
	TRY(check_location(name, r->prefix, e));
	if (strchr(r->prefix + (has_wildcard ? 1 : 0), '*'))
		return err_fmt(e, STEP_REGISTRY, name, EINVAL, "a * stands only at the start, as \"*.example.com\": \"%.80s\"", r->prefix);
	if (r->location && *r->location)
		TRY(check_location(name, r->location, e));
	if (r->n_mirrors > MIRRORS_MAX)
		return err_fmt(e, STEP_REGISTRY, name, E2BIG, "more than %d mirrors of \"%.80s\"", MIRRORS_MAX, r->prefix);
	for (size_t i = 0; i < r->n_mirrors; i++) {
		TRY(check_location(name, r->mirrors[i].location, e));
		if (r->mirror_by_digest_only && r->mirrors[i].pull_from_mirror == REGISTRIES_PULL_TAG)
			return err_fmt(e, STEP_REGISTRY, name, EINVAL, "the mirrors of \"%.80s\" are for digests and for tags only", r->prefix);
		if (r->mirror_by_digest_only)
			r->mirrors[i].pull_from_mirror = REGISTRIES_PULL_DIGEST;
	}
	return 0;
}

static void put_entry(struct registries *r, const struct registries_entry *fresh, struct arena *a)
{
	for (size_t i = 0; i < r->n_entries; i++)
		if (text_is(r->entries[i].prefix, fresh->prefix)) {
			r->entries[i] = *fresh;
			return;
		}
	*arena_push(a, &r->entries, &r->n_entries) = *fresh;
}

static void put_alias(struct registries *r, const struct registries_alias *fresh, struct arena *a)
{
	for (size_t i = 0; i < r->n_aliases; i++)
		if (text_is(r->aliases[i].name, fresh->name)) {
			r->aliases[i] = *fresh;
			return;
		}
	*arena_push(a, &r->aliases, &r->n_aliases) = *fresh;
}

int registries_add(struct registries *r, const char *text, size_t len, const char *name, struct arena *a, struct nook_error *e)
{
	AUTO(json_free) struct json *root = NULL;
	struct file f = {0};

	TRY(toml_parse(text, len, name, STEP_REGISTRY, &root, e));
	if (json_find(root, "registries", NULL))
		return err_why(e, STEP_REGISTRY, name, EINVAL, "is written in the first format ([registries.search]), which is not supported: "
			"use unqualified-search-registries and [[registry]]");
	TRY(bind_read(root, file_table, &f, a, NULL, STEP_REGISTRY, e));
	if (f.search)
		r->search = f.search[0] ? f.search : NULL;
	for (const char *const *at = f.search; at && *at; at++)
		TRY(check_location(name, *at, e));
	if (f.n_entries > ENTRIES_MAX || r->n_entries > ENTRIES_MAX)
		return err_fmt(e, STEP_REGISTRY, name, E2BIG, "more than %d registries", ENTRIES_MAX);
	for (size_t i = 0; i < f.n_entries; i++) {
		TRY(check_entry(&f.entries[i], name, e));
		put_entry(r, &f.entries[i], a);
	}
	for (size_t i = 0; i < f.n_aliases; i++)
		put_alias(r, &f.aliases[i], a);
	return 0;
}

/* 0, or 1 when there is no such file. */
static int add_file(struct registries *r, int dir, const char *path, const char *shown, struct arena *a, struct nook_error *e)
{
	AUTO_VALUE(buf_done) struct buf text = {0};
	struct nook_error why = NOOK_ERROR_INIT;
	int read = file_read(dir, path, FILE_MAX, &text, &why);

	if (read == -ENOENT || read == -ENOTDIR)
		return 1;
	if (read < 0)
		return err_num(e, STEP_REGISTRY, shown, read);
	return registries_add(r, buf_text(&text), text.len, shown, a, e);
}

static int by_name(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static int add_folder(struct registries *r, const char *path, struct arena *a, struct nook_error *e)
{
	const char **names = NULL;
	size_t n = 0;

	TRY(names_read(AT_FDCWD, path, a, &names, &n, e));
	if (n)
		qsort(names, n, sizeof(*names), by_name);
	for (size_t i = 0; i < n; i++) {
		size_t len = strlen(names[i]);
		const char *file = arena_printf(a, "%s/%s", path, names[i]);

		if (len > 5 && text_is(names[i] + len - 5, ".conf"))
			TRY(add_file(r, AT_FDCWD, file, file, a, e));
	}
	return 0;
}

int registries_load(struct arena *a, struct registries *ret, struct nook_error *e)
{
	static const char system[] = "/etc/containers";
	const char *home = getenv("HOME"), *config = getenv("XDG_CONFIG_HOME"), *given = getenv("CONTAINERS_REGISTRIES_CONF");
	const char *own = config && *config == '/' ? arena_printf(a, "%s/containers", config)
		: home && *home == '/'             ? arena_printf(a, "%s/.config/containers", home)
						   : NULL;
	struct registries r = {0};
	int absent = 1;

	if (given && *given) {
		TRY(add_file(&r, AT_FDCWD, given, given, a, e));
		*ret = r;
		return 0;
	}
	if (own) {
		const char *file = arena_printf(a, "%s/registries.conf", own);

		absent = TRY(add_file(&r, AT_FDCWD, file, file, a, e));
	}
	if (absent)
		TRY(add_file(&r, AT_FDCWD, "/etc/containers/registries.conf", "/etc/containers/registries.conf", a, e));
	TRY(add_folder(&r, arena_printf(a, "%s/registries.conf.d", system), a, e));
	if (own)
		TRY(add_folder(&r, arena_printf(a, "%s/registries.conf.d", own), a, e));
	*ret = r;
	return 0;
}

/* ---- asking --------------------------------------------------------------------------------------------------------- */

/* How many bytes at the start of NAME ("host/path") the prefix covers; 0: it does not match. */
static size_t match(const char *prefix, const char *name)
{
	const char *suffix = text_after(prefix, "*");
	size_t len, host;

	if (!suffix) {
		len = strlen(prefix);
		return strncmp(name, prefix, len) == 0 && (!name[len] || name[len] == '/') ? len : 0;
	}
	/* "*.example.com" is for every host below it, whatever the depth. */
	len = strlen(suffix);
	host = strcspn(name, "/");
	return host > len && strncasecmp(name + host - len, suffix, len) == 0 ? host : 0;
}

static const struct registries_entry *find(const struct registries *r, const char *name, size_t *ret_len)
{
	const struct registries_entry *found = NULL;
	bool is_wildcard = true;
	size_t best = 0;

	for (size_t i = 0; i < r->n_entries; i++) {
		const struct registries_entry *now = &r->entries[i];
		size_t len = match(now->prefix, name), weight = strlen(now->prefix);
		bool wild = now->prefix[0] == '*';

		/* A plain prefix goes before a wildcard; of each kind the longest. */
		if (len && (!found || (is_wildcard && !wild) || (is_wildcard == wild && weight > best))) {
			found = now;
			best = weight;
			is_wildcard = wild;
			*ret_len = len;
		}
	}
	return found;
}

/* "host/path" to a place; docker.io lives under another name. */
static struct registries_place split(const char *name, struct arena *a)
{
	size_t len = strcspn(name, "/");
	const char *host = arena_strndup(a, name, len);

	return (struct registries_place){
		.host = text_is(host, "docker.io") || text_is(host, "index.docker.io") ? "registry-1.docker.io" : host,
		.repository = name[len] ? name + len + 1 : "",
	};
}

int registries_places(const struct registries *r, const char *registry, const char *repository, enum registries_want want,
	struct arena *a, struct registries_place **ret, size_t *ret_n, struct nook_error *e)
{
	const char *name = arena_printf(a, "%s/%s", registry, repository), *rest;
	struct registries_place *list = NULL, place;
	const struct registries_entry *entry;
	size_t n = 0, len = 0;

	entry = find(r, name, &len);
	if (entry && entry->blocked)
		return err_fmt(e, STEP_REGISTRY, name, EPERM, "registries.conf blocks \"%.80s\"", entry->prefix);
	rest = name + len;
	for (size_t i = 0; entry && i < entry->n_mirrors; i++) {
		const struct registries_mirror *m = &entry->mirrors[i];

		if (m->pull_from_mirror == (want == REGISTRIES_BY_TAG ? REGISTRIES_PULL_DIGEST : REGISTRIES_PULL_TAG))
			continue;
		place = split(arena_printf(a, "%s%s", m->location, rest), a);
		place.insecure = m->insecure;
		place.is_mirror = true;
		*arena_push(a, &list, &n) = place;
	}
	place = split(entry && entry->location && *entry->location ? arena_printf(a, "%s%s", entry->location, rest) : name, a);
	place.insecure = entry && entry->insecure;
	*arena_push(a, &list, &n) = place;
	*ret = list;
	*ret_n = n;
	return 0;
}

const char *registries_alias(const struct registries *r, const char *path)
{
	for (size_t i = 0; i < r->n_aliases; i++)
		if (text_is(r->aliases[i].name, path))
			return r->aliases[i].value;
	return NULL;
}
