/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Options are rows; a row has a function that writes into struct parse, or into the spec at once where the order counts
 * (what is made in the tree).  What follows from all of them together comes in bwrap_compile().
 */
#include "box/bwrap.h"

#include "base/fd.h"
#include "base/text.h"
#include "security/caps.h"
#include "security/lsm.h"
#include "security/seccomp.h"
#include "spec/spec_defaults.h"

#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>

enum {
	DATA_MAX = 64 << 20,
	ARGS_MAX = 9000,          /* bwrap's own limit */
	FILTER_MAX = 4096,        /* BPF_MAXINSNS */
	SOURCES_MAX = 64,
	MODE_NONE = -1,
	NOT_GIVEN = -EBADF,
};

struct parse {
	struct bwrap *b;
	struct spec *spec;
	struct arena *arena;
	int n_args;
	bool in_file;               /* --args in --args */
	int mode;                   /* of --perms, for the next option */
	uint64_t bytes;             /* of --size */
	const char **sources;       /* of --overlay-src, topmost last */
	size_t n_sources;
	unsigned unshare, unshare_try; /* bits of enum ns_kind */
	bool unshare_all, share_net, as_pid_1, new_session, has_seccomp, has_seccomp_list, disable_userns, assert_disabled, cap_options, clear;
	int userns, userns2, pidns;
	struct opt_u64 uid, gid;
	const char *chdir, *argv0, *hostname;
	uint64_t caps;
	const char **env;           /* NULL-terminated */
	size_t n_env;
	const char **locks;
	size_t n_locks;
	const char **covered;       /* what is read-only of each --proc */
	size_t n_covered;
};

static int bad(const char *option, const char *why, struct nook_error *e)
{
	return err_why(e, STEP_OPTION, option, EINVAL, why);
}

/* ---- values --------------------------------------------------------------------------------------------------------- */

static int number(const char *option, const char *text, uint64_t max, uint64_t *ret, struct nook_error *e)
{
	if (text_u64(text, ret) < 0 || *ret > max)
		return err_fmt(e, STEP_OPTION, option, EINVAL, "\"%.60s\" is no number for it", text);
	return 0;
}

/* A descriptor of the caller's, which is not the command's from now on. */
static int descriptor(struct parse *p, const char *option, const char *text, struct nook_error *e)
{
	uint64_t fd = 0;

	TRY(number(option, text, INT_MAX, &fd, e));
	if (fcntl((int)fd, F_GETFD) < 0)
		return err_fmt(e, STEP_OPTION, option, EBADF, "descriptor %s is not open", text);
	*arena_push(p->arena, &p->b->used, &p->b->n_used) = (int)fd;
	return (int)fd;
}

static int read_all(struct parse *p, const char *option, const char *text, size_t max, const char **ret, size_t *ret_len, struct nook_error *e)
{
	int fd = TRY(descriptor(p, option, text, e));
	AUTO_VALUE(buf_done) struct buf data = {0};
	auto_free char *block = xcalloc(1, 64 << 10);
	ssize_t n;

	while ((n = fd_read(fd, block, 64 << 10)) > 0) {
		buf_add(&data, block, (size_t)n);
		if (data.len > max)
			return err_fmt(e, STEP_OPTION, option, EFBIG, "more than %zu bytes can be read from descriptor %s", max, text);
	}
	if (n < 0)
		return err_num(e, STEP_OPTION, option, (int)n);
	*ret = arena_memdup(p->arena, buf_text(&data), data.len + 1);
	*ret_len = data.len;
	return 0;
}

/* ---- what is made in the tree --------------------------------------------------------------------------------------- */

static const char *target_of(struct parse *p, const char *dest)
{
	return dest[0] == '/' ? dest : arena_printf(p->arena, "/%s", dest);
}

static int add_mount(struct parse *p, const char *dest, const char *type, const char *source, const char *options,
	struct spec_mount **ret, struct nook_error *e)
{
	return spec_mount_add(p->spec, target_of(p, dest), type, source, options, ret, e);
}

static int add_make(struct parse *p, const char *dest, const struct spec_make *make, struct nook_error *e)
{
	struct spec_mount *m = NULL;

	TRY(add_mount(p, dest, "none", NULL, NULL, &m, e));
	m->make = arena_memdup(p->arena, make, sizeof(*make));
	return 0;
}

/* The mode of --perms, which is used up. */
static uint32_t mode_of(struct parse *p, uint32_t otherwise)
{
	uint32_t mode = p->mode == MODE_NONE ? otherwise : (uint32_t)p->mode;

	p->mode = MODE_NONE;
	return mode;
}

enum { READ_ONLY = 1, DEVICES = 2, OPTIONAL = 4 };

/* A relative source is seen from the caller's directory. */
static int source_path(struct parse *p, const char *source, const char **ret, struct nook_error *e)
{
	char here[PATH_MAX];

	*ret = source;
	if (source[0] == '/')
		return 0;
	if (!getcwd(here, sizeof(here)))
		return err_sys(e, STEP_SOURCE, source);
	*ret = arena_printf(p->arena, "%s/%s", here, source);
	return 0;
}

static int add_bind(struct parse *p, char **arg, unsigned flags, struct nook_error *e)
{
	const char *words = arena_printf(p->arena, "rbind,rnosuid%s%s", flags & DEVICES ? "" : ",rnodev", flags & READ_ONLY ? ",rro" : "");
	struct spec_mount *m = NULL;
	const char *source = NULL;

	TRY(source_path(p, arg[1], &source, e));
	if (flags & OPTIONAL && access(source, F_OK) < 0 && errno == ENOENT)
		return 0;
	return add_mount(p, arg[2], "bind", source, words, &m, e);
}

static int add_bind_fd(struct parse *p, char **arg, unsigned flags, struct nook_error *e)
{
	int fd = TRY(descriptor(p, arg[0], arg[1], e));
	struct spec_mount *m = NULL;

	TRY(add_mount(p, arg[2], "bind", arena_printf(p->arena, "fd:%d", fd), flags & READ_ONLY ? "rbind,rnosuid,rnodev,rro" : "rbind,rnosuid,rnodev",
		&m, e));
	m->source_fd = (struct opt_u64){(uint64_t)fd, true};
	return 0;
}

static int add_layers(struct parse *p, const char *option, const char *dest, const struct spec_layers *layers, struct nook_error *e)
{
	struct spec_layers *own = arena_memdup(p->arena, layers, sizeof(*layers));
	const char **lowers = arena_new_n(p->arena, const char *, p->n_sources + 1);
	struct spec_mount *m = NULL;

	if (!p->n_sources)
		return bad(option, "it needs at least one --overlay-src before it", e);
	if (layers->readonly && p->n_sources < 2)
		return bad(option, "it needs at least two --overlay-src before it", e);
	for (size_t i = 0; i < p->n_sources; i++)
		lowers[i] = p->sources[p->n_sources - 1 - i];
	own->lowers = lowers;
	p->n_sources = 0;
	p->sources = NULL;
	TRY(add_mount(p, dest, "overlay", lowers[0], "nosuid,nodev", &m, e));
	m->layers = own;
	return 0;
}

static int add_overlay(struct parse *p, char **arg, struct nook_error *e)
{
	struct spec_layers layers = {0};

	TRY(source_path(p, arg[1], &layers.upper, e));
	TRY(source_path(p, arg[2], &layers.work, e));
	return add_layers(p, arg[0], arg[3], &layers, e);
}

static int add_overlay_source(struct parse *p, char **arg, struct nook_error *e)
{
	const char *source = NULL;

	if (p->n_sources == SOURCES_MAX)
		return bad(arg[0], "an overlay has at most 64 layers", e);
	TRY(source_path(p, arg[1], &source, e));
	*arena_push(p->arena, &p->sources, &p->n_sources) = source;
	return 0;
}

static int add_proc(struct parse *p, char **arg, struct nook_error *e)
{
	/* Who may write there steers the machine. */
	static const char *const steering[] = {"sys", "sysrq-trigger", "irq", "bus"};
	const char *dest = target_of(p, arg[1]);

	for (size_t i = 0; i < sizeof(steering) / sizeof(steering[0]); i++)
		*arena_push(p->arena, &p->covered, &p->n_covered) = arena_printf(p->arena, "%s/%s", dest, steering[i]);
	return add_mount(p, dest, "proc", "proc", "nosuid,noexec,nodev", &(struct spec_mount *){NULL}, e);
}

static const char *in_dev(struct parse *p, const char *dest, const char *name)
{
	return arena_printf(p->arena, "%s/%s", dest, name);
}

static int add_dev(struct parse *p, char **arg, struct nook_error *e)
{
	static const char *const nodes[] = {"null", "zero", "full", "random", "urandom", "tty"};
	static const char *const links[][2] = {{"fd", "/proc/self/fd"}, {"core", "/proc/kcore"}, {"ptmx", "pts/ptmx"},
		{"stdin", "/proc/self/fd/0"}, {"stdout", "/proc/self/fd/1"}, {"stderr", "/proc/self/fd/2"}};
	const char *dest = target_of(p, arg[1]), *terminal = isatty(STDOUT_FILENO) ? ttyname(STDOUT_FILENO) : NULL;

	TRY(add_mount(p, dest, "tmpfs", "tmpfs", "nosuid,nodev,mode=755", NULL, e));
	for (size_t i = 0; i < sizeof(nodes) / sizeof(nodes[0]); i++)
		TRY(add_mount(p, in_dev(p, dest, nodes[i]), "bind", arena_printf(p->arena, "/dev/%s", nodes[i]), "bind,nosuid", NULL, e));
	for (size_t i = 0; i < sizeof(links) / sizeof(links[0]); i++)
		TRY(add_make(p, in_dev(p, dest, links[i][0]), &(struct spec_make){.kind = MAKE_LINK, .text = links[i][1]}, e));
	TRY(add_make(p, in_dev(p, dest, "shm"), &(struct spec_make){.kind = MAKE_DIR, .mode = 0755}, e));
	TRY(add_mount(p, in_dev(p, dest, "pts"), "devpts", "devpts", "nosuid,noexec,newinstance,ptmxmode=0666,mode=620", NULL, e));
	if (!terminal)
		return 0;
	return add_mount(p, in_dev(p, dest, "console"), "bind", arena_strdup(p->arena, terminal), "bind,nosuid", NULL, e);
}

static int add_tmpfs(struct parse *p, char **arg, struct nook_error *e)
{
	const char *words = arena_printf(p->arena, "nosuid,nodev,mode=%o", mode_of(p, 0755));

	if (p->bytes)
		words = arena_printf(p->arena, "%s,size=%llu", words, (unsigned long long)p->bytes);
	p->bytes = 0;
	return add_mount(p, arg[1], "tmpfs", "tmpfs", words, NULL, e);
}

static int add_data(struct parse *p, char **arg, enum make_kind kind, bool readonly, struct nook_error *e)
{
	struct spec_make make = {.kind = kind, .mode = mode_of(p, kind == MAKE_FILE ? 0666 : 0600), .readonly = readonly};
	const char *data = NULL;

	TRY(read_all(p, arg[0], arg[1], DATA_MAX, &data, &make.size, e));
	make.data = data;
	return add_make(p, arg[2], &make, e);
}

static int add_chmod(struct parse *p, char **arg, struct nook_error *e)
{
	uint32_t mode = 0;

	if (text_mode(arg[1], &mode) < 0)
		return bad(arg[0], "the mode is an octal number", e);
	return add_make(p, arg[2], &(struct spec_make){.kind = MAKE_MODE, .mode = mode}, e);
}

/* ---- the environment ------------------------------------------------------------------------------------------------- */

static int env_find(const struct parse *p, const char *name)
{
	size_t len = strlen(name);

	for (size_t i = 0; i < p->n_env; i++)
		if (!strncmp(p->env[i], name, len) && p->env[i][len] == '=')
			return (int)i;
	return -ENOENT;
}

static const char *env_value(const struct parse *p, const char *name)
{
	int i = env_find(p, name);

	return i < 0 ? NULL : p->env[i] + strlen(name) + 1;
}

static void env_unset(struct parse *p, const char *name)
{
	int i;

	while ((i = env_find(p, name)) >= 0)
		p->env[i] = p->env[--p->n_env];
}

static int env_set(struct parse *p, char **arg, struct nook_error *e)
{
	if (!*arg[1] || strchr(arg[1], '='))
		return bad(arg[0], "the name of a variable is not empty and holds no =", e);
	env_unset(p, arg[1]);
	*arena_push(p->arena, &p->env, &p->n_env) = arena_printf(p->arena, "%s=%s", arg[1], arg[2]);
	return 0;
}

/* ---- the rest -------------------------------------------------------------------------------------------------------- */

static int add_filter(struct parse *p, char **arg, struct nook_error *e)
{
	struct spec_seccomp *s;
	const char *program = NULL;
	size_t len = 0;

	TRY(read_all(p, arg[0], arg[1], FILTER_MAX * sizeof(struct sock_filter), &program, &len, e));
	if (!len || len % sizeof(struct sock_filter))
		return bad(arg[0], "what can be read there is no BPF program", e);
	s = arena_push(p->arena, &p->spec->seccomp_more, &p->spec->n_seccomp_more);
	s->source = SECCOMP_FILTER;
	s->filter = program;
	s->n_filter = len / sizeof(struct sock_filter);
	return 0;
}

static int change_caps(struct parse *p, char **arg, bool add, struct nook_error *e)
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
	TRY(number(option, text, UINT32_MAX - 1, &ret->value, e));
	ret->set = true;
	return 0;
}

static int parse_words(struct parse *p, int argc, char **argv, int *ret_first, struct nook_error *e);

static int parse_file(struct parse *p, char **arg, struct nook_error *e)
{
	const char *text = NULL;
	char **argv = NULL;
	size_t len = 0, n = 0;
	int first = 0, r;

	if (p->in_file)
		return bad(arg[0], "it cannot stand in what --args reads", e);
	TRY(read_all(p, arg[0], arg[1], DATA_MAX, &text, &len, e));
	for (const char *at = text; at < text + len; at += strlen(at) + 1) {
		*arena_push(p->arena, &argv, &n) = (char *)(uintptr_t)at;
		if (n > ARGS_MAX)
			return bad(arg[0], "more than 9000 arguments", e);
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

static void unshare_kind(struct parse *p, enum ns_kind kind)
{
	p->unshare |= 1U << kind;
}

static int set_fd(struct parse *p, char **arg, int *ret, struct nook_error *e)
{
	*ret = TRY(descriptor(p, arg[0], arg[1], e));
	return 0;
}

/* Options that make something in the tree. */
static int apply_tree(struct parse *p, enum bwrap_option option, char **arg, struct nook_error *e)
{
	switch (option) {
	case BWRAP_BIND: return add_bind(p, arg, 0, e);
	case BWRAP_BIND_TRY: return add_bind(p, arg, OPTIONAL, e);
	case BWRAP_DEV_BIND: return add_bind(p, arg, DEVICES, e);
	case BWRAP_DEV_BIND_TRY: return add_bind(p, arg, DEVICES | OPTIONAL, e);
	case BWRAP_RO_BIND: return add_bind(p, arg, READ_ONLY, e);
	case BWRAP_RO_BIND_TRY: return add_bind(p, arg, READ_ONLY | OPTIONAL, e);
	case BWRAP_BIND_FD: return add_bind_fd(p, arg, 0, e);
	case BWRAP_RO_BIND_FD: return add_bind_fd(p, arg, READ_ONLY, e);
	case BWRAP_REMOUNT_RO: return add_make(p, arg[1], &(struct spec_make){.kind = MAKE_READONLY}, e);
	case BWRAP_OVERLAY_SRC: return add_overlay_source(p, arg, e);
	case BWRAP_OVERLAY: return add_overlay(p, arg, e);
	case BWRAP_TMP_OVERLAY: return add_layers(p, arg[0], arg[1], &(struct spec_layers){0}, e);
	case BWRAP_RO_OVERLAY: return add_layers(p, arg[0], arg[1], &(struct spec_layers){.readonly = true}, e);
	case BWRAP_PROC: return add_proc(p, arg, e);
	case BWRAP_DEV: return add_dev(p, arg, e);
	case BWRAP_TMPFS: return add_tmpfs(p, arg, e);
	case BWRAP_MQUEUE: return add_mount(p, arg[1], "mqueue", "mqueue", "nosuid,noexec,nodev", NULL, e);
	case BWRAP_DIR: return add_make(p, arg[1], &(struct spec_make){.kind = MAKE_DIR, .mode = mode_of(p, 0755)}, e);
	case BWRAP_FILE: return add_data(p, arg, MAKE_FILE, false, e);
	case BWRAP_BIND_DATA: return add_data(p, arg, MAKE_DATA, false, e);
	case BWRAP_RO_BIND_DATA: return add_data(p, arg, MAKE_DATA, true, e);
	case BWRAP_SYMLINK: return add_make(p, arg[2], &(struct spec_make){.kind = MAKE_LINK, .text = arg[1]}, e);
	case BWRAP_CHMOD: return add_chmod(p, arg, e);
	default: return 1;
	}
}

/* Options that say what is unshared, and who the command is. */
static int apply_who(struct parse *p, enum bwrap_option option, char **arg, struct nook_error *e)
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

static int set_perms(struct parse *p, char **arg, struct nook_error *e)
{
	uint32_t mode = 0;

	if (text_mode(arg[1], &mode) < 0)
		return bad(arg[0], "the mode is an octal number", e);
	p->mode = (int)mode;
	return 0;
}

static int set_size(struct parse *p, char **arg, struct nook_error *e)
{
	TRY(number(arg[0], arg[1], INT64_MAX, &p->bytes, e));
	return p->bytes ? 0 : bad(arg[0], "the size is not 0", e);
}

static int apply_rest(struct parse *p, enum bwrap_option option, char **arg, struct nook_error *e)
{
	struct bwrap *b = p->b;

	switch (option) {
	case BWRAP_HELP: b->help = true; return 0;
	case BWRAP_VERSION: b->version = true; return 0;
	case BWRAP_ARGS: return parse_file(p, arg, e);
	case BWRAP_ARGV0: p->argv0 = arg[1]; return 0;
	case BWRAP_LEVEL_PREFIX: b->level_prefix = true; return 0;
	case BWRAP_CHDIR: p->chdir = arg[1]; return 0;
	case BWRAP_CLEARENV: p->n_env = 0; p->clear = true; return 0;
	case BWRAP_SETENV: return env_set(p, arg, e);
	case BWRAP_UNSETENV: env_unset(p, arg[1]); return 0;
	case BWRAP_LOCK_FILE: *arena_push(p->arena, &p->locks, &p->n_locks) = target_of(p, arg[1]); return 0;
	case BWRAP_SYNC_FD: return set_fd(p, arg, &b->sync_fd, e);
	case BWRAP_SECCOMP: p->has_seccomp = true; return add_filter(p, arg, e);
	case BWRAP_ADD_SECCOMP_FD: p->has_seccomp_list = true; return add_filter(p, arg, e);
	case BWRAP_BLOCK_FD:
		p->spec->start_fd.value = (uint64_t)TRY(descriptor(p, arg[0], arg[1], e));
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
static int check_next(const struct parse *p, enum bwrap_option option, struct nook_error *e)
{
	bool makes = option == BWRAP_TMPFS || option == BWRAP_DIR || option == BWRAP_FILE || option == BWRAP_BIND_DATA ||
		     option == BWRAP_RO_BIND_DATA;

	if (p->mode != MODE_NONE && !makes && option != BWRAP_SIZE)
		return bad("--perms", "it must be followed by an option that makes a file", e);
	if (p->bytes && option != BWRAP_TMPFS && option != BWRAP_PERMS)
		return bad("--size", "it must be followed by --tmpfs", e);
	if (p->n_sources && option != BWRAP_OVERLAY_SRC && option != BWRAP_OVERLAY && option != BWRAP_TMP_OVERLAY && option != BWRAP_RO_OVERLAY)
		return bad("--overlay-src", "it must be followed by another one or by an overlay", e);
	return 0;
}

static int parse_one(struct parse *p, int argc, char **argv, struct nook_error *e)
{
	for (int option = 0; option < BWRAP_OPTIONS_COUNT; option++) {
		int r;

		if (!text_is(rows[option].name, argv[0]))
			continue;
		if (argc <= rows[option].n_args)
			return err_fmt(e, STEP_OPTION, argv[0], EINVAL, "it takes %d arguments", rows[option].n_args);
		TRY(check_next(p, (enum bwrap_option)option, e));
		r = apply_tree(p, (enum bwrap_option)option, argv, e);
		if (r == 1)
			r = apply_who(p, (enum bwrap_option)option, argv, e);
		if (r == 1)
			r = apply_rest(p, (enum bwrap_option)option, argv, e);
		return r < 0 ? r : rows[option].n_args + 1;
	}
	return err_why(e, STEP_OPTION, argv[0], EINVAL, "bubblewrap has no such option");
}

/* *ret_first is the first word that is no option. */
static int parse_words(struct parse *p, int argc, char **argv, int *ret_first, struct nook_error *e)
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
			return bad(argv[i], "more than 9000 arguments", e);
		i += TRY(parse_one(p, argc - i, argv + i, e));
	}
	if (!p->in_file && p->mode != MODE_NONE)
		return bad("--perms", "it must be followed by an option that makes a file", e);
	if (!p->in_file && p->bytes)
		return bad("--size", "it must be followed by --tmpfs", e);
	if (!p->in_file && p->n_sources)
		return bad("--overlay-src", "it must be followed by another one or by an overlay", e);
	*ret_first = i;
	return 0;
}

/* ---- what follows from all of them ------------------------------------------------------------------------------------ */

static int check(const struct parse *p, struct nook_error *e)
{
	bool user = p->unshare & (1U << NS_USER);

	if (p->userns >= 0 && user)
		return bad("--userns", "it cannot be combined with --unshare-user", e);
	if (p->userns2 >= 0 && p->userns < 0)
		return bad("--userns2", "it is for who joins one with --userns", e);
	if ((p->uid.set || p->gid.set) && !user && p->userns < 0)
		return bad(p->uid.set ? "--uid" : "--gid", "it requires --unshare-user or --userns", e);
	if (p->hostname && !(p->unshare & (1U << NS_UTS)))
		return bad("--hostname", "it requires --unshare-uts", e);
	if (p->as_pid_1 && !(p->unshare & (1U << NS_PID)))
		return bad("--as-pid-1", "it requires --unshare-pid", e);
	if (p->as_pid_1 && p->n_locks)
		return bad("--as-pid-1", "it cannot be combined with --lock-file", e);
	if (p->disable_userns && !user)
		return bad("--disable-userns", "it requires --unshare-user", e);
	if (p->disable_userns && p->b->userns_block_fd >= 0)
		return bad("--disable-userns", "it cannot be combined with --userns-block-fd", e);
	if (p->disable_userns && p->caps & CAPS_BIT(CAP_SYS_RESOURCE))
		return bad("--disable-userns", "a command that keeps CAP_SYS_RESOURCE could allow them again", e);
	if (p->b->userns_block_fd >= 0 && (!user || p->b->info_fd < 0))
		return bad("--userns-block-fd", "it requires --unshare-user and --info-fd", e);
	if (p->has_seccomp && p->has_seccomp_list)
		return bad("--seccomp", "it cannot be combined with --add-seccomp-fd", e);
	if (p->has_seccomp && p->spec->n_seccomp_more > 1)
		return bad("--seccomp", "it can be given once; --add-seccomp-fd may be repeated", e);
	if (p->share_net && !p->unshare_all)
		return bad("--share-net", "it is for who has --unshare-all", e);
	return 0;
}

/* Can the caller make user namespaces?  For --unshare-user-try and, in what will be the sandbox's, --assert-userns-disabled. */
static bool can_make_userns(int in)
{
	int status = 1;
	pid_t pid = fork();

	if (pid == 0)
		_exit((in >= 0 && setns(in, CLONE_NEWUSER) < 0) || unshare(CLONE_NEWUSER) < 0);
	while (pid > 0 && waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	return pid > 0 && WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

static void settle_namespaces(struct parse *p)
{
	static const enum ns_kind kinds[] = {NS_IPC, NS_PID, NS_NET, NS_UTS, NS_CGROUP};

	if (p->unshare_all) {
		for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
			p->unshare |= 1U << kinds[i];
		p->unshare_try |= 1U << NS_USER;
	}
	if (p->share_net)
		p->unshare &= ~(1U << NS_NET);
	if (p->unshare_try & (1U << NS_CGROUP) && access("/proc/self/ns/cgroup", F_OK) == 0)
		p->unshare |= 1U << NS_CGROUP;
	if (p->userns >= 0)
		return;
	/* Who is not root has no other way to the other namespaces. */
	if (geteuid() != 0 || (p->unshare_try & (1U << NS_USER) && can_make_userns(-1)))
		p->unshare |= 1U << NS_USER;
}

static int assert_disabled(const struct parse *p, struct nook_error *e)
{
	if (!p->assert_disabled || p->disable_userns)
		return 0;
	if (can_make_userns(p->userns2 >= 0 ? p->userns2 : p->userns))
		return bad("--assert-userns-disabled", "user namespaces can be made", e);
	return 0;
}

static void fill_namespaces(struct parse *p)
{
	struct spec *s = p->spec;

	s->ns[NS_MNT].mode = NS_PRIVATE;
	for (int kind = 0; kind < NS_COUNT; kind++)
		if (p->unshare & (1U << kind))
			s->ns[kind].mode = NS_PRIVATE;
	if (p->userns >= 0)
		s->ns[NS_USER] = (struct spec_ns){NS_PATH, arena_printf(p->arena, "/proc/self/fd/%d", p->userns)};
	if (p->userns2 >= 0)
		s->last_userns = arena_printf(p->arena, "/proc/self/fd/%d", p->userns2);
	if (p->pidns >= 0 && p->unshare & (1U << NS_PID))
		s->parent_pidns = arena_printf(p->arena, "/proc/self/fd/%d", p->pidns);
	else if (p->pidns >= 0)
		s->ns[NS_PID] = (struct spec_ns){NS_PATH, arena_printf(p->arena, "/proc/self/fd/%d", p->pidns)};
	s->net_loopback_up = s->ns[NS_NET].mode == NS_PRIVATE;
	s->hostname = p->hostname;
	if (p->disable_userns)
		spec_pair_set(p->arena, &s->sysctls, &s->n_sysctls, "user.max_user_namespaces", "0");
}

static void fill_user(struct parse *p)
{
	struct spec_user *u = &p->spec->process.user;
	mode_t mask = umask(0);

	(void)umask(mask);
	u->uid = p->uid.set ? (uint32_t)p->uid.value : geteuid();
	u->gid = p->gid.set ? (uint32_t)p->gid.value : getegid();
	u->keep_groups = u->no_home = true;
	u->has_umask = true;
	u->umask = mask;
	if (p->spec->ns[NS_USER].mode != NS_PRIVATE || p->b->userns_block_fd >= 0)
		return;
	*arena_push(p->arena, &p->spec->uid_maps, &p->spec->n_uid_maps) = (struct spec_idmap){u->uid, geteuid(), 1};
	*arena_push(p->arena, &p->spec->gid_maps, &p->spec->n_gid_maps) = (struct spec_idmap){u->gid, getegid(), 1};
}

static void fill_process(struct parse *p, int argc, char **argv)
{
	struct spec_process *s = &p->spec->process;
	const char **words = arena_new_n(p->arena, const char *, (size_t)argc + 1), **places = NULL;
	const char *home = env_value(p, "HOME");
	char here[PATH_MAX];
	size_t n = 0;

	for (int i = 0; i < argc; i++)
		words[i] = argv[i];
	if (p->argv0) {
		s->program = argv[0];
		words[0] = p->argv0;
	}
	s->argv = words;
	(void)arena_push(p->arena, &p->env, &p->n_env);
	p->n_env--;
	p->env[p->n_env] = NULL;
	s->env = p->env;
	if (p->chdir) {
		*arena_push(p->arena, &places, &n) = p->chdir;
	} else {
		if (getcwd(here, sizeof(here)) && here[0] == '/')
			*arena_push(p->arena, &places, &n) = arena_strdup(p->arena, here);
		if (home && home[0] == '/')
			*arena_push(p->arena, &places, &n) = home;
		*arena_push(p->arena, &places, &n) = "/";
	}
	s->cwd_try = places;
	s->same_session = !p->new_session;
	s->init = p->unshare & (1U << NS_PID) && !p->as_pid_1;
	s->die_with_parent = p->b->die_with_parent;
	s->no_new_privs = true;
	s->has_caps = true;
	for (int i = 0; i < CAPS_SETS; i++)
		s->caps[i] = (i == CAPS_AMBIENT || i == CAPS_INHERITABLE) && !p->cap_options ? 0 : p->caps;
}

int bwrap_parse(struct bwrap *b, int argc, char **argv, struct nook_error *e)
{
	struct parse p = {.b = b, .spec = b->spec, .arena = b->arena, .mode = MODE_NONE, .userns = NOT_GIVEN, .userns2 = NOT_GIVEN, .pidns = NOT_GIVEN};
	struct caps_own own;
	int first = 0;

	b->info_fd = b->json_fd = b->userns_block_fd = b->sync_fd = NOT_GIVEN;
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
	settle_namespaces(&p);
	TRY(check(&p, e));
	TRY(assert_disabled(&p, e));
	fill_namespaces(&p);
	fill_user(&p);
	fill_process(&p, argc - first, argv + first);
	b->spec->locks = p.locks;
	b->spec->readonly = p.covered;
	return 0;
}

int bwrap_compile(struct bwrap *b, const uint32_t *keep, size_t n_keep, struct nook_error *e)
{
	struct spec *s = b->spec;
	struct plan_host host;
	struct plan_request q = {.spec = s, .host = &host};
	struct plan_result result = {0};

	if (s->mount_label) {
		TRY(lsm_check(lsm_active(), NULL, s->mount_label, e));
		/* Mounts of nook's carry no label yet. */
		return err_why(e, STEP_LSM, "--file-label", EOPNOTSUPP, "nook cannot label what it mounts");
	}
	TRY(plan_host_probe(&host, e));
	s->root.kind = ROOT_TMPFS;
	s->process.keep_fds = keep;
	s->process.n_keep_fds = n_keep;
	q.maps_elsewhere = b->userns_block_fd >= 0 || s->ns[NS_USER].mode == NS_PATH;
	q.deny_setgroups = s->ns[NS_USER].mode == NS_PRIVATE;
	TRY(spec_check(s, e));
	TRY(plan_build(b->arena, &q, &result, e));
	b->plan = result.plan;
	b->notes = result.notes;
	return 0;
}
