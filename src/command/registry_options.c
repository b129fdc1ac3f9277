/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "command/registry_options.h"

#define ACCESS_ROWS(type)                                                                                                     \
	{0, NULL, NULL, OPT_SECTION, 0, "Reaching the registry"},                                                             \
	{0, "authfile", "FILE", OPT_STRING, offsetof(type, access.authfile), "credentials are in FILE (REGISTRY_AUTH_FILE)"}, \
	{0, "cert-dir", "DIR", OPT_STRING, offsetof(type, access.cert_dir), "certificates are in DIR instead of certs.d"},    \
	{0, "tls-verify", "true|false", OPT_OPTIONAL, offsetof(type, access.tls_verify),                                      \
		"false: plain http and any certificate will do"},                                                             \
	{0, "retry", "N", OPT_U64, offsetof(type, access.retry), "how often a request that failed is tried again (3)"},       \
	{0, "timeout", "TIME", OPT_DURATION, offsetof(type, access.timeout), "how long a registry may be silent (30s)"},

#define AT(member) offsetof(struct pull_options, member)
static const struct opt pull_table[] = {
	{0, "platform", "OS/ARCH[/VARIANT]", OPT_STRING, AT(platform), "for another platform than this machine's"},
	{0, "all-platforms", NULL, OPT_FLAG, AT(all_platforms), "the images of every platform that the name stands for"},
	{'q', "quiet", NULL, OPT_FLAG, AT(quiet), "print the name only"},
	ACCESS_ROWS(struct pull_options)
	{0},
};

#undef AT
#define AT(member) offsetof(struct push_options, member)
static const struct opt push_table[] = {
	{0, "compression", "gzip|zstd|none", OPT_STRING, AT(compression), "of layers that were never compressed (gzip)"},
	{0, "chunk-size", "SIZE", OPT_BYTES, AT(chunk_size), "send layers in pieces of SIZE"},
	{0, "digestfile", "FILE", OPT_STRING, AT(digestfile), "write the manifest's digest to FILE"},
	{'q', "quiet", NULL, OPT_FLAG, AT(quiet), "no progress"},
	ACCESS_ROWS(struct push_options)
	{0},
};

#undef AT
#define AT(member) offsetof(struct login_options, member)
static const struct opt login_table[] = {
	{'u', "username", "NAME", OPT_STRING, AT(username), "the user's name; asked for when it is missing"},
	{'p', "password", "WORD", OPT_STRING, AT(password), "the password, which others see in the list of processes"},
	{0, "password-stdin", NULL, OPT_FLAG, AT(password_stdin), "read the password from standard input"},
	{0, "get-login", NULL, OPT_FLAG, AT(get_login), "print who is logged in"},
	ACCESS_ROWS(struct login_options)
	{0},
};

#undef AT
#define AT(member) offsetof(struct logout_options, member)
static const struct opt logout_table[] = {
	{'a', "all", NULL, OPT_FLAG, AT(all), "from every registry"},
	ACCESS_ROWS(struct logout_options)
	{0},
};

#undef AT
#define AT(member) offsetof(struct search_options, member)
static const struct opt search_table[] = {
	{'f', "filter", "KEY=VALUE", OPT_STRINGS, AT(filters), "only those that match: stars=N (at least), is-official=true|false"},
	{0, "limit", "N", OPT_U64, AT(limit), "at most N results (25)"},
	{0, "list-tags", NULL, OPT_FLAG, AT(list_tags), "TERM is an image: list its tags"},
	{0, "no-trunc", NULL, OPT_FLAG, AT(no_trunc), "do not shorten descriptions"},
	{0, "format", "table|json", OPT_STRING, AT(format), "how the list is written"},
	ACCESS_ROWS(struct search_options)
	{0},
};

#undef AT
#define AT(member) offsetof(struct manifest_options, member)
static const struct opt manifest_table[] = {
	{0, "platform", "OS/ARCH[/VARIANT]", OPT_STRING, AT(platform), "of an index, the manifest for this platform"},
	{0, "raw", NULL, OPT_FLAG, AT(raw), "the bytes as the registry has them"},
	{0, "referrers", NULL, OPT_FLAG, AT(referrers), "list what refers to it: signatures, bills of materials"},
	ACCESS_ROWS(struct manifest_options)
	{0},
};

const struct command cmd_pull = {
	.name = "pull",
	.usage = "[OPTIONS] NAME",
	.summary = "fetch an image from a registry",
	.options = pull_table,
	.options_size = sizeof(struct pull_options),
	.min_args = 1,
	.max_args = 1,
	.transfer = true,
	.details = "NAME is [REGISTRY[:PORT]/]PATH[:TAG][@DIGEST]. A short name stands for docker.io, unless registries.conf has an alias for it "
		"or lists unqualified-search-registries; what it was resolved to is printed. Mirrors of registries.conf are asked first.\n"
		"Layers are fetched and unpacked side by side. What was cut off is kept for a day, and the next pull goes on from there.",
	.examples = "nook pull debian:12\nnook pull --platform linux/arm64 registry.example/team/app:1.2\n",
};

const struct command cmd_push = {
	.name = "push",
	.usage = "[OPTIONS] IMAGE [NAME]",
	.summary = "send an image to a registry",
	.options = push_table,
	.options_size = sizeof(struct push_options),
	.min_args = 1,
	.max_args = 2,
	.transfer = true,
	.details = "IMAGE goes to the registry that its name says, or to NAME. What the registry has already is not sent again.",
	.examples = "nook push registry.example/team/app:1.2\nnook push debian:12 localhost:5000/debian:12\n",
};

const struct command cmd_login = {
	.name = "login",
	.usage = "[OPTIONS] [REGISTRY]",
	.summary = "log in to a registry",
	.options = login_table,
	.options_size = sizeof(struct login_options),
	.max_args = 1,
	.transfer = true,
	.details = "The name and password are tried at the registry (docker.io when none is named), and kept where podman and skopeo keep "
		"theirs: $XDG_RUNTIME_DIR/containers/auth.json, which is gone after a restart, or --authfile. A credential helper that "
		"the file names keeps them instead.\n"
		"Credentials are looked for there, in ~/.config/containers/auth.json and in ~/.docker/config.json; REGISTRY may name a "
		"part of one, as in registry.example/team, and the longest that matches an image is used.",
	.examples = "nook login registry.example\nnook login -u alice --password-stdin registry.example/team\n",
};

const struct command cmd_logout = {
	.name = "logout",
	.usage = "[OPTIONS] [REGISTRY]",
	.summary = "forget the credentials for a registry",
	.options = logout_table,
	.options_size = sizeof(struct logout_options),
	.max_args = 1,
	.transfer = true,
	.examples = "nook logout registry.example\nnook logout --all\n",
};

const struct command cmd_search = {
	.name = "search",
	.usage = "[OPTIONS] [REGISTRY/]TERM",
	.summary = "search a registry for images",
	.options = search_table,
	.options_size = sizeof(struct search_options),
	.min_args = 1,
	.max_args = 1,
	.transfer = true,
	.details = "docker.io is searched when no registry is named. A registry without a search of its own is asked for the list of all its "
		"images, which it may refuse.",
	.examples = "nook search debian\nnook search localhost:5000/app\nnook search --list-tags debian\n",
};

const struct command cmd_manifest_inspect = {
	.name = "inspect",
	.usage = "[OPTIONS] NAME",
	.summary = "print the manifest or index that a name stands for",
	.options = manifest_table,
	.options_size = sizeof(struct manifest_options),
	.min_args = 1,
	.max_args = 1,
	.transfer = true,
	.details = "The registry is asked, and nothing but the manifest is fetched.",
	.examples = "nook manifest inspect debian:12\nnook manifest inspect --platform arm64 debian:12\n",
};

static const struct command *const manifest_commands[] = {&cmd_manifest_inspect, NULL};

const struct command cmd_manifest = {
	.name = "manifest",
	.usage = "COMMAND",
	.summary = "look at manifests in registries",
	.subs = manifest_commands,
	.examples = "nook manifest inspect debian:12\n",
};
