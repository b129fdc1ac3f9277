/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "registry/credentials.h"

#include "base/text.h"
#include "json/bind.h"
#include "registry/credhelper.h"
#include "spec/spec.h"

#include <limits.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

enum { FILE_MAX = 1 << 20, KEY_MAX = 512 };

struct entry {
	const char *key, *auth, *identity_token;
};

struct auth_file {
	struct entry *entries;
	size_t n_entries;
	struct spec_pair *helpers;
	size_t n_helpers;
	const char *store;
};

static const struct bind entry_table[] = {
	{AT(struct entry, auth), BIND_STRING, "auth"},
	{AT(struct entry, identity_token), BIND_STRING, "identitytoken"},
	{0},
};

static const struct bind file_table[] = {
	{LIST(struct auth_file, entries, n_entries), BIND_OBJECTS, "auths", .table = entry_table},
	{LIST(struct auth_file, helpers, n_helpers), BIND_MAP, "credHelpers"},
	{AT(struct auth_file, store), BIND_STRING, "credsStore"},
	{0},
};

/* ---- names ---------------------------------------------------------------------------------------------------------- */

static const char docker_io[] = "docker.io", docker_key[] = "https://index.docker.io/v1/";

/* What docker and its helpers call a registry. */
static const char *server_name(const char *key)
{
	return text_is(key, docker_io) ? docker_key : key;
}

/* A key as it was written, without scheme and API version, and with docker's old names for docker.io. */
static void normalise(const char *key, char *ret)
{
	const char *rest = text_after(key, "https://");
	size_t len;

	rest = rest ? rest : text_after(key, "http://");
	rest = rest ? rest : key;
	(void)snprintf(ret, KEY_MAX, "%s", rest);
	len = strlen(ret);
	while (len && ret[len - 1] == '/')
		ret[--len] = 0;
	if (len > 3 && (text_is(ret + len - 3, "/v1") || text_is(ret + len - 3, "/v2")))
		ret[len -= 3] = 0;
	if (text_is(ret, "index.docker.io") || text_is(ret, "registry-1.docker.io"))
		(void)snprintf(ret, KEY_MAX, "%s", docker_io);
}

/* Does KEY cover NAME ("host/team/project")?  Returns its length, 0 when it does not. */
static size_t covers(const char *key, const char *name)
{
	char plain[KEY_MAX];
	size_t len;

	normalise(key, plain);
	len = strlen(plain);
	return strncmp(plain, name, len) == 0 && (!name[len] || name[len] == '/') ? len : 0;
}

/* ---- base64 --------------------------------------------------------------------------------------------------------- */

const char *credentials_encode(const struct credentials *c, struct arena *a)
{
	const char *plain = arena_printf(a, "%s:%s", c->username, c->password);
	size_t len = strlen(plain);
	unsigned char *text = arena_alloc(a, (len + 2) / 3 * 4 + 1);

	(void)EVP_EncodeBlock(text, (const unsigned char *)plain, (int)len);
	return (const char *)text;
}

int credentials_decode(const char *text, struct arena *a, struct credentials *ret)
{
	size_t len = strlen(text), padding = 0;
	unsigned char *plain = arena_alloc(a, len / 4 * 3 + 1);
	char *colon;
	int n;

	if (!len || len > FILE_MAX || len % 4)
		return -EINVAL;
	while (padding < 2 && text[len - 1 - padding] == '=')
		padding++;
	n = EVP_DecodeBlock(plain, (const unsigned char *)text, (int)len);
	if (n < 0 || (size_t)n < padding)
		return -EINVAL;
	plain[(size_t)n - padding] = 0;
	colon = strchr((char *)plain, ':');
	if (!colon || strlen((char *)plain) != (size_t)n - padding || strpbrk((char *)plain, "\r\n"))
		return -EINVAL;
	*colon = 0;
	*ret = (struct credentials){.username = (char *)plain, .password = colon + 1};
	return 0;
}

/* ---- places --------------------------------------------------------------------------------------------------------- */

void credential_places_default(const char *authfile, struct arena *a, struct credential_places *ret)
{
	const char *home = getenv("HOME"), *runtime = getenv("XDG_RUNTIME_DIR"), *config = getenv("XDG_CONFIG_HOME"),
		   *docker = getenv("DOCKER_CONFIG"), **files = NULL;
	size_t n = 0;

	if (!authfile)
		authfile = getenv("REGISTRY_AUTH_FILE");
	if (authfile && *authfile) {
		*arena_push(a, &files, &n) = authfile;
		ret->files = files;
		return;
	}
	*arena_push(a, &files, &n) = runtime && *runtime == '/'
		? arena_printf(a, "%s/containers/auth.json", runtime)
		: arena_printf(a, "/run/containers/%u/auth.json", (unsigned)geteuid());
	if (config && *config == '/')
		*arena_push(a, &files, &n) = arena_printf(a, "%s/containers/auth.json", config);
	else if (home && *home == '/')
		*arena_push(a, &files, &n) = arena_printf(a, "%s/.config/containers/auth.json", home);
	if (docker && *docker)
		*arena_push(a, &files, &n) = arena_printf(a, "%s/config.json", docker);
	else if (home && *home == '/')
		*arena_push(a, &files, &n) = arena_printf(a, "%s/.docker/config.json", home);
	ret->files = files;
}

/* 0, or 1 when there is none. */
static int load(const char *name, struct json **ret, struct nook_error *e)
{
	AUTO_VALUE(buf_done) struct buf text = {0};
	struct nook_error why = NOOK_ERROR_INIT;
	int r = file_read(AT_FDCWD, name, FILE_MAX, &text, &why);

	/* A directory of another user's is none of ours. */
	if (r == -ENOENT || r == -ENOTDIR || r == -EACCES)
		return 1;
	if (r < 0)
		return err_num(e, STEP_REGISTRY, name, r);
	if (!buf_text(&text)[strspn(buf_text(&text), " \t\r\n")])
		return 1;
	return json_parse(buf_text(&text), text.len, name, STEP_REGISTRY, ret, e);
}

static int read_file(const char *name, struct arena *a, struct auth_file *ret, struct nook_error *e)
{
	AUTO(json_free) struct json *root = NULL;
	int r = TRY(load(name, &root, e));

	if (r == 0)
		TRY(bind_read(root, file_table, ret, a, NULL, STEP_REGISTRY, e));
	return r;
}

/* ---- finding -------------------------------------------------------------------------------------------------------- */

static const char *helper_for(const struct auth_file *f, const char *name, const char **ret_server)
{
	const char *found = NULL;
	size_t best = 0;

	for (size_t i = 0; i < f->n_helpers; i++) {
		size_t len = covers(f->helpers[i].key, name);

		if (len > best) {
			best = len;
			found = f->helpers[i].value;
			*ret_server = f->helpers[i].key;
		}
	}
	return found && *found ? found : NULL;
}

static const struct entry *entry_for(const struct auth_file *f, const char *name)
{
	const struct entry *found = NULL;
	size_t best = 0;

	for (size_t i = 0; i < f->n_entries; i++) {
		const struct entry *now = &f->entries[i];
		size_t len = covers(now->key, name);
		bool is_empty = (!now->auth || !*now->auth) && (!now->identity_token || !*now->identity_token);

		/* Where a helper keeps them, docker leaves the key with nothing behind it. */
		if (!is_empty && len > best) {
			best = len;
			found = now;
		}
	}
	return found;
}

static int find_in(const struct credential_places *p, const char *file, const char *registry, const char *name, struct arena *a,
	struct credentials *ret, struct nook_error *e)
{
	struct auth_file f = {0};
	const struct entry *entry;
	const char *helper, *server = registry;

	if (TRY(read_file(file, a, &f, e)) == 1)
		return 1;
	helper = helper_for(&f, name, &server);
	if (helper && TRY(credhelper_get(&(struct credhelper){helper, p->helpers}, server_name(server), a, ret, e)) == 0)
		return 0;
	entry = entry_for(&f, name);
	if (entry && entry->identity_token && *entry->identity_token) {
		*ret = (struct credentials){.identity_token = entry->identity_token};
		return 0;
	}
	if (entry) {
		if (credentials_decode(entry->auth, a, ret) < 0)
			return err_fmt(e, STEP_REGISTRY, file, EINVAL, "the entry \"%.60s\" is no base64 of user:password", entry->key);
		return 0;
	}
	if (f.store && *f.store)
		return credhelper_get(&(struct credhelper){f.store, p->helpers}, server_name(registry), a, ret, e);
	return 1;
}

int credentials_find(const struct credential_places *p, const char *registry, const char *repository, struct arena *a,
	struct credentials *ret, struct nook_error *e)
{
	const char *name = repository ? arena_printf(a, "%s/%s", registry, repository) : registry;

	for (const char *const *file = p->files; *file; file++)
		if (TRY(find_in(p, *file, registry, name, a, ret, e)) == 0)
			return 0;
	return 1;
}

/* ---- changing ------------------------------------------------------------------------------------------------------- */

/* Opens the directory of FILE and splits off the last component. */
static int open_parent(const char *file, mode_t mode, const char **ret_base, struct nook_error *e)
{
	const char *slash = strrchr(file, '/');
	char path[PATH_MAX];

	*ret_base = slash ? slash + 1 : file;
	if (!slash)
		return dir_make(".", mode, e);
	if (snprintf(path, sizeof(path), "%.*s", slash == file ? 1 : (int)(slash - file), file) >= (int)sizeof(path))
		return err_num(e, STEP_REGISTRY, file, ENAMETOOLONG);
	return dir_make(path, mode, e);
}

static struct json *member(struct json *root, const char *name)
{
	struct json *found = NULL;

	if (!json_find(root, name, &found) || !json_is(found, JSON_OBJECT)) {
		found = json_make(root, JSON_OBJECT);
		json_set(root, name, found);
	}
	return found;
}

static int save(int dir, const char *base, struct json *root, struct nook_error *e)
{
	AUTO_VALUE(buf_done) struct buf text = {0};
	struct json_out o = {.text = &text, .style = JSON_PRETTY};

	json_out_tree(&o, NULL, root);
	buf_addc(&text, '\n');
	return file_replace(dir, base, text.data, text.len, 0600, FILE_SYNC, e);
}

static int lock_for(int dir, const char *base, struct arena *a, struct nook_error *e)
{
	return file_lock(dir, arena_printf(a, ".%s.lock", base), e);
}

int credentials_save(const struct credential_places *p, const char *key, const struct credentials *c, struct nook_error *e)
{
	AUTO(arena_free) struct arena *a = arena_new();
	AUTO(json_free) struct json *root = NULL;
	struct json *entry;
	struct auth_file f = {0};
	const char *base = NULL, *helper, *server = key, *auth;
	auto_close int dir = TRY(open_parent(p->files[0], 0700, &base, e));
	auto_close int lock = TRY(lock_for(dir, base, a, e));

	TRY(read_file(p->files[0], a, &f, e));
	helper = helper_for(&f, key, &server);
	if (!helper && f.store && *f.store)
		helper = f.store;
	if (helper)
		return credhelper_store(&(struct credhelper){helper, p->helpers}, server_name(server), c, e);
	if (TRY(load(p->files[0], &root, e)) == 1)
		root = json_new();
	entry = json_make(root, JSON_OBJECT);
	auth = c->identity_token ? c->identity_token : credentials_encode(c, a);
	json_set(entry, c->identity_token ? "identitytoken" : "auth", json_make_string(root, auth, strlen(auth)));
	/* docker itself reads docker.io only under its old name. */
	json_set(member(root, "auths"), server_name(key), entry);
	return save(dir, base, root, e);
}

static int erase_in(const struct credential_places *p, const char *file, const char *key, struct arena *a, struct nook_error *e)
{
	AUTO(json_free) struct json *root = NULL;
	struct auth_file f = {0};
	const char *base = NULL, *helper, *server = key;
	size_t erased = 0;

	if (access(file, F_OK) < 0)
		return 0;
	auto_close int dir = TRY(open_parent(file, 0700, &base, e));
	auto_close int lock = TRY(lock_for(dir, base, a, e));

	if (TRY(read_file(file, a, &f, e)) == 1)
		return 0;
	helper = helper_for(&f, key, &server);
	if (!helper && f.store && *f.store)
		helper = f.store;
	if (helper && TRY(credhelper_erase(&(struct credhelper){helper, p->helpers}, server_name(server), e)) == 0)
		erased++;
	TRY(load(file, &root, e));
	for (size_t i = 0; i < f.n_entries; i++) {
		char plain[KEY_MAX];

		normalise(f.entries[i].key, plain);
		if (text_is(plain, key)) {
			json_remove(member(root, "auths"), f.entries[i].key);
			erased++;
		}
	}
	if (erased)
		TRY(save(dir, base, root, e));
	return erased ? 1 : 0;
}

int credentials_erase(const struct credential_places *p, const char *key, struct nook_error *e)
{
	AUTO(arena_free) struct arena *a = arena_new();
	int places = 0;

	for (const char *const *file = p->files; *file; file++)
		places += TRY(erase_in(p, *file, key, a, e));
	return places;
}

static int erase_all_in(const char *file, const struct credential_places *p, struct arena *a, struct nook_error *e)
{
	struct auth_file f = {0};

	if (TRY(read_file(file, a, &f, e)) == 1)
		return 0;
	for (size_t i = 0; i < f.n_entries; i++) {
		char plain[KEY_MAX];

		normalise(f.entries[i].key, plain);
		TRY(credentials_erase(p, plain, e));
	}
	for (size_t i = 0; i < f.n_helpers; i++)
		TRY(credentials_erase(p, f.helpers[i].key, e));
	return 0;
}

int credentials_erase_all(const struct credential_places *p, struct nook_error *e)
{
	AUTO(arena_free) struct arena *a = arena_new();

	for (const char *const *file = p->files; *file; file++)
		TRY(erase_all_in(*file, p, a, e));
	return 0;
}
