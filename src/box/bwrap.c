/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Options are rows; a row has a function that writes into struct bwrap_words, or into the spec at once where the order counts
 * (what is made in the tree).  What follows from all of them together: bwrap_compile.c.
 */
#include "box/bwrap_words.h"

#include "base/text.h"
#include "security/caps.h"
#include "security/seccomp.h"

#include <string.h>
#include <unistd.h>

enum {
	ARGS_MAX = 9000,   /* bwrap's own limit */
	FILTER_MAX = 4096, /* BPF_MAXINSNS */
};

/* ---- the environment ------------------------------------------------------------------------------------------------- */

/* Where NAME's entry stands, or NULL. */
static const char **env_find(const struct bwrap_words *p, const char *name)
{
	size_t len = strlen(name);

	for (size_t i = 0; i < p->n_env; i++)
		if (!strncmp(p->env[i], name, len) && p->env[i][len] == '=')
			return &p->env[i];
	return NULL;
}

static const char *env_value(const struct bwrap_words *p, const char *name)
{
	const char **entry = env_find(p, name);

	return entry ? *entry + strlen(name) + 1 : NULL;
}

static void env_unset(struct bwrap_words *p, const char *name)
{
	const char **entry;

	while ((entry = env_find(p, name)))
		*entry = p->env[--p->n_env];
}

static int env_set(struct bwrap_words *p, char **arg, struct nook_error *e)
{
	if (!*arg[1] || strchr(arg[1], '='))
		return bwrap_refuse(arg[0], "the name of a variable is not empty and holds no =", e);
	env_unset(p, arg[1]);
	*arena_push(p->arena, &p->env, &p->n_env) = arena_printf(p->arena, "%s=%s", arg[1], arg[2]);
	return 0;
}

/* ---- the rest -------------------------------------------------------------------------------------------------------- */

static int add_filter(struct bwrap_words *p, char **arg, struct nook_error *e)
{
	struct spec_seccomp *s;
	const char *program = NULL;
	size_t len = 0;

	TRY(bwrap_read_fd(p, arg[0], arg[1], FILTER_MAX * sizeof(struct sock_filter), &program, &len, e));
	if (!len || len % sizeof(struct sock_filter))
		return bwrap_refuse(arg[0], "what can be read there is no BPF program", e);
	s = arena_push(p->arena, &p->spec->seccomp_more, &p->spec->n_seccomp_more);
	s->source = SECCOMP_FILTER;
	s->filter = program;
	s->n_filter = len / sizeof(struct sock_filter);
	return 0;
}

static int change_caps(struct bwrap_words *p, char **arg, bool add, struct nook_error *e)
{
	uint64_t caps = 0;

	if (caps_parse(arg[1], &caps) < 0)
		return err_fmt(e, STEP_OPTION, arg[0], EINVAL, "there is no capability \"%.60s\"", arg[1]);
	p->caps = add ? p->caps | caps : p->caps & ~caps;
	p->cap_options = true;
	return 0;
}

static int set_id(const char *option, const char *text, struct opt_u64 *ret, struct nook_error *e)
{
	TRY(bwrap_number(option, text, UINT32_MAX - 1, &ret->value, e));
	ret->set = true;
	return 0;
}

static int parse_words(struct bwrap_words *p, int argc, char **argv, int *ret_first, struct nook_error *e);

static int parse_file(struct bwrap_words *p, char **arg, struct nook_error *e)
{
	const char *text = NULL;
	char **argv = NULL;
	size_t len = 0, n = 0;
	int first = 0, r;

	if (p->in_file)
		return bwrap_refuse(arg[0], "it cannot stand in what --args reads", e);
	TRY(bwrap_read_fd(p, arg[0], arg[1], BWRAP_DATA_MAX, &text, &len, e));
	for (const char *at = text; at < text + len; at += strlen(at) + 1) {
		*arena_push(p->arena, &argv, &n) = (char *)(uintptr_t)at;
		if (n > ARGS_MAX)
			return bwrap_refuse(arg[0], "more than 9000 arguments", e);
	}
	p->in_file = true;
	r = parse_words(p, (int)n, argv, &first, e);
	p->in_file = false;
	if (r == 0 && argv && first < (int)n)
		return err_fmt(e, STEP_OPTION, arg[0], EINVAL, "\"%.60s\" is no option, and only options can stand there", argv[first]);
	return r;
}

/* ---- the table ------------------------------------------------------------------------------------------------------- */

static const struct {
	const char *name;
	int n_args;
} rows[BWRAP_OPTIONS_COUNT] = {
#define X(id, word, n, value, help) [BWRAP_##id] = {"--" word, n},
	BWRAP_OPTIONS(X)
#undef X
};

static void unshare_kind(struct bwrap_words *p, enum ns_kind kind)
{
	p->unshare |= 1U << kind;
}

static int set_fd(struct bwrap_words *p, char **arg, int *ret, struct nook_error *e)
{
	*ret = TRY(bwrap_descriptor(p, arg[0], arg[1], e));
	return 0;
}

/* Options that say what is unshared, and who the command is. */
static int apply_who(struct bwrap_words *p, enum bwrap_option option, char **arg, struct nook_error *e)
{
	switch (option) {
	case BWRAP_UNSHARE_ALL: p->unshare_all = true; return 0;
	case BWRAP_SHARE_NET: p->share_net = true; return 0;
	case BWRAP_UNSHARE_USER: unshare_kind(p, NS_USER); return 0;
	case BWRAP_UNSHARE_USER_TRY: p->unshare_try |= 1U << NS_USER; return 0;
	case BWRAP_UNSHARE_IPC: unshare_kind(p, NS_IPC); return 0;
	case BWRAP_UNSHARE_PID: unshare_kind(p, NS_PID); return 0;
	case BWRAP_UNSHARE_NET: unshare_kind(p, NS_NET); return 0;
	case BWRAP_UNSHARE_UTS: unshare_kind(p, NS_UTS); return 0;
	case BWRAP_UNSHARE_CGROUP: unshare_kind(p, NS_CGROUP); return 0;
	case BWRAP_UNSHARE_CGROUP_TRY: p->unshare_try |= 1U << NS_CGROUP; return 0;
	case BWRAP_USERNS: return set_fd(p, arg, &p->userns, e);
	case BWRAP_USERNS2: return set_fd(p, arg, &p->userns2, e);
	case BWRAP_PIDNS: return set_fd(p, arg, &p->pidns, e);
	case BWRAP_DISABLE_USERNS: p->disable_userns = true; return 0;
	case BWRAP_ASSERT_USERNS_DISABLED: p->assert_disabled = true; return 0;
	case BWRAP_UID: return set_id(arg[0], arg[1], &p->uid, e);
	case BWRAP_GID: return set_id(arg[0], arg[1], &p->gid, e);
	case BWRAP_HOSTNAME: p->hostname = arg[1]; return 0;
	case BWRAP_CAP_ADD: return change_caps(p, arg, true, e);
	case BWRAP_CAP_DROP: return change_caps(p, arg, false, e);
	case BWRAP_EXEC_LABEL: p->spec->process.selinux = arg[1]; return 0;
	case BWRAP_FILE_LABEL: p->spec->mount_label = arg[1]; return 0;
	default: return 1;
	}
}

static int set_perms(struct bwrap_words *p, char **arg, struct nook_error *e)
{
	uint32_t mode = 0;

	if (text_mode(arg[1], &mode) < 0)
		return bwrap_refuse(arg[0], "the mode is an octal number", e);
	p->mode = (int)mode;
	return 0;
}

static int set_size(struct bwrap_words *p, char **arg, struct nook_error *e)
{
	TRY(bwrap_number(arg[0], arg[1], INT64_MAX, &p->bytes, e));
	return p->bytes ? 0 : bwrap_refuse(arg[0], "the size is not 0", e);
}

static int apply_rest(struct bwrap_words *p, enum bwrap_option option, char **arg, struct nook_error *e)
{
	struct bwrap *b = p->b;

	switch (option) {
	case BWRAP_HELP: b->help = true; return 0;
	case BWRAP_VERSION: b->version = true; return 0;
	case BWRAP_ARGS: return parse_file(p, arg, e);
	case BWRAP_ARGV0: p->argv0 = arg[1]; return 0;
	case BWRAP_LEVEL_PREFIX: b->level_prefix = true; return 0;
	case BWRAP_CHDIR: p->chdir = arg[1]; return 0;
	case BWRAP_CLEARENV: p->n_env = 0; return 0;
	case BWRAP_SETENV: return env_set(p, arg, e);
	case BWRAP_UNSETENV: env_unset(p, arg[1]); return 0;
	case BWRAP_LOCK_FILE: *arena_push(p->arena, &p->locks, &p->n_locks) = bwrap_target(p, arg[1]); return 0;
	case BWRAP_SYNC_FD: return set_fd(p, arg, &b->sync_fd, e);
	case BWRAP_SECCOMP: p->has_seccomp = true; return add_filter(p, arg, e);
	case BWRAP_ADD_SECCOMP_FD: p->has_seccomp_list = true; return add_filter(p, arg, e);
	case BWRAP_BLOCK_FD:
		p->spec->start_fd.value = (uint64_t)TRY(bwrap_descriptor(p, arg[0], arg[1], e));
		p->spec->start_fd.set = true;
		return 0;
	case BWRAP_USERNS_BLOCK_FD: return set_fd(p, arg, &b->userns_block_fd, e);
	case BWRAP_INFO_FD: return set_fd(p, arg, &b->info_fd, e);
	case BWRAP_JSON_STATUS_FD: return set_fd(p, arg, &b->json_fd, e);
	case BWRAP_NEW_SESSION: p->new_session = true; return 0;
	case BWRAP_DIE_WITH_PARENT: b->die_with_parent = true; return 0;
	case BWRAP_AS_PID_1: p->as_pid_1 = true; return 0;
	case BWRAP_PERMS: return set_perms(p, arg, e);
	case BWRAP_SIZE: return set_size(p, arg, e);
	default: return err_num(e, STEP_OPTION, arg[0], EINVAL);
	}
}

/* --perms and --size are words about the option that follows. */
static int check_next(const struct bwrap_words *p, enum bwrap_option option, struct nook_error *e)
{
	bool makes = option == BWRAP_TMPFS || option == BWRAP_DIR || option == BWRAP_FILE || option == BWRAP_BIND_DATA ||
		     option == BWRAP_RO_BIND_DATA;

	if (p->mode != BWRAP_NO_MODE && !makes && option != BWRAP_SIZE)
		return bwrap_refuse("--perms", "it must be followed by an option that makes a file", e);
	if (p->bytes && option != BWRAP_TMPFS && option != BWRAP_PERMS)
		return bwrap_refuse("--size", "it must be followed by --tmpfs", e);
	if (p->n_sources && option != BWRAP_OVERLAY_SRC && option != BWRAP_OVERLAY && option != BWRAP_TMP_OVERLAY && option != BWRAP_RO_OVERLAY)
		return bwrap_refuse("--overlay-src", "it must be followed by another one or by an overlay", e);
	return 0;
}

static int parse_one(struct bwrap_words *p, int argc, char **argv, struct nook_error *e)
{
	for (int option = 0; option < BWRAP_OPTIONS_COUNT; option++) {
		int r;

		if (!text_is(rows[option].name, argv[0]))
			continue;
		if (argc <= rows[option].n_args)
			return err_fmt(e, STEP_OPTION, argv[0], EINVAL, "it takes %d arguments", rows[option].n_args);
		TRY(check_next(p, (enum bwrap_option)option, e));
		r = bwrap_tree(p, (enum bwrap_option)option, argv, e);
		if (r == 1)
			r = apply_who(p, (enum bwrap_option)option, argv, e);
		if (r == 1)
			r = apply_rest(p, (enum bwrap_option)option, argv, e);
		return r < 0 ? r : rows[option].n_args + 1;
	}
	return err_why(e, STEP_OPTION, argv[0], EINVAL, "bubblewrap has no such option");
}

/* *ret_first is the first word that is no option. */
static int parse_words(struct bwrap_words *p, int argc, char **argv, int *ret_first, struct nook_error *e)
{
	int i = 0;

	while (i < argc && !p->b->help && !p->b->version) {
		if (text_is(argv[i], "--")) {
			i++;
			break;
		}
		if (argv[i][0] != '-')
			break;
		if ((p->n_args += 1) > ARGS_MAX)
			return bwrap_refuse(argv[i], "more than 9000 arguments", e);
		i += TRY(parse_one(p, argc - i, argv + i, e));
	}
	if (!p->in_file && p->mode != BWRAP_NO_MODE)
		return bwrap_refuse("--perms", "it must be followed by an option that makes a file", e);
	if (!p->in_file && p->bytes)
		return bwrap_refuse("--size", "it must be followed by --tmpfs", e);
	if (!p->in_file && p->n_sources)
		return bwrap_refuse("--overlay-src", "it must be followed by another one or by an overlay", e);
	*ret_first = i;
	return 0;
}

int bwrap_parse(struct bwrap *b, int argc, char **argv, struct nook_error *e)
{
	struct bwrap_words p = {.b = b, .spec = b->spec, .arena = b->arena, .mode = BWRAP_NO_MODE, .userns = -EBADF, .userns2 = -EBADF, .pidns = -EBADF};
	struct caps_own own;
	int first = 0;

	b->info_fd = b->json_fd = b->userns_block_fd = b->sync_fd = -EBADF;
	/* As bubblewrap has it: root keeps what it has, all others have nothing. */
	if (geteuid() == 0) {
		TRY(caps_own_load(&own, e));
		p.caps = own.effective;
	}
	for (char **v = environ; v && *v; v++)
		*arena_push(p.arena, &p.env, &p.n_env) = *v;
	TRY(parse_words(&p, argc, argv, &first, e));
	if (b->help || b->version)
		return 0;
	if (first == argc)
		return err_why(e, STEP_EXEC, "bwrap", EINVAL, "no command was given");
	p.home = env_value(&p, "HOME");
	return bwrap_settle(&p, argc - first, argv + first, e);
}
