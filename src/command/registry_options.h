/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The commands that talk to registries: their options. */
#pragma once

#include "command/command.h"

/* How to reach a registry; every command has these. */
struct access_options {
	const char *authfile, *cert_dir;
	const char *tls_verify; /* "false": plain http and any certificate will do */
	struct opt_u64 retry;
	struct opt_i64 timeout; /* ns */
};

struct pull_options {
	struct access_options access;
	const char *platform;
	bool all_platforms, quiet;
};

struct push_options {
	struct access_options access;
	const char *compression, *digestfile;
	struct opt_i64 chunk_size;
	bool quiet;
};

struct login_options {
	struct access_options access;
	const char *username, *password;
	bool password_stdin, get_login;
};

struct logout_options {
	struct access_options access;
	bool all;
};

struct search_options {
	struct access_options access;
	struct opt_u64 limit;
	const char *format;
	struct opt_list filters;
	bool list_tags, no_trunc;
};

struct manifest_options {
	struct access_options access;
	const char *platform;
	bool raw, referrers;
};

extern const struct command cmd_pull, cmd_push, cmd_login, cmd_logout, cmd_search, cmd_manifest, cmd_manifest_inspect;
