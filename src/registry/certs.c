/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "registry/certs.h"

#include "base/fd.h"
#include "base/names.h"
#include "base/text.h"

#include <stdlib.h>
#include <string.h>

enum { FILE_MAX = 1 << 20 };

static bool ends_with(const char *text, const char *end)
{
	size_t len = strlen(text), n = strlen(end);

	return len > n && text_is(text + len - n, end);
}

static const char *folder_for(const char *host, struct arena *a)
{
	const char *home = getenv("HOME"), *config = getenv("XDG_CONFIG_HOME");
	const char *own = config && *config == '/' ? arena_printf(a, "%s/containers", config)
		: home && *home == '/'             ? arena_printf(a, "%s/.config/containers", home)
						   : NULL;
	const char *const tops[] = {own, "/etc/containers", "/etc/docker"};

	for (size_t i = 0; i < sizeof(tops) / sizeof(tops[0]); i++) {
		const char *path = tops[i] ? arena_printf(a, "%s/certs.d/%s", tops[i], host) : NULL;

		if (path && access(path, R_OK | X_OK) == 0)
			return path;
	}
	return NULL;
}

static int add_certificate(const char *folder, const char *name, struct arena *a, struct buf *authorities,
	struct http_tls *ret, struct nook_error *e)
{
	const char *path = arena_printf(a, "%s/%s", folder, name), *key;

	if (ends_with(name, ".crt")) {
		TRY(file_read(AT_FDCWD, path, FILE_MAX, authorities, e));
		buf_addc(authorities, '\n');
	} else if (ends_with(name, ".cert")) {
		key = arena_printf(a, "%s/%.*s.key", folder, (int)(strlen(name) - strlen(".cert")), name);
		if (access(key, R_OK) < 0)
			return err_fmt(e, STEP_REGISTRY, key, errno, "the key of %s is missing", name);
		ret->client_cert = path;
		ret->client_key = key;
	}
	return 0;
}

int certs_load(const char *host, const char *dir, struct arena *a, struct http_tls *ret, struct nook_error *e)
{
	AUTO_VALUE(buf_done) struct buf authorities = {0};
	const char *folder = dir ? dir : folder_for(host, a);
	const char **names = NULL;
	struct http_tls tls = {0};
	size_t n = 0;

	if (!folder)
		return 0;
	TRY(names_read(AT_FDCWD, folder, a, &names, &n, e));
	for (size_t i = 0; i < n; i++)
		TRY(add_certificate(folder, names[i], a, &authorities, &tls, e));
	if (authorities.len) {
		tls.ca = arena_memdup(a, authorities.data, authorities.len);
		tls.ca_len = authorities.len;
	}
	*ret = tls;
	return 0;
}
