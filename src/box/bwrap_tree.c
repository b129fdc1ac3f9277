/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Options that make something in the sandbox's tree: steps of the spec, in their order. */
#include "box/bwrap_words.h"

#include "base/text.h"

#include <limits.h>
#include <string.h>
#include <unistd.h>

enum { SOURCES_MAX = 64 };

const char *bwrap_target(struct bwrap_words *p, const char *dest)
{
	return dest[0] == '/' ? dest : arena_printf(p->arena, "/%s", dest);
}

static int add_mount(struct bwrap_words *p, const char *dest, const char *type, const char *source, const char *options,
	struct spec_mount **ret, struct nook_error *e)
{
	return spec_mount_add(p->spec, bwrap_target(p, dest), type, source, options, ret, e);
}

static int add_make(struct bwrap_words *p, const char *dest, const struct spec_make *make, struct nook_error *e)
{
	struct spec_mount *m = NULL;

	TRY(add_mount(p, dest, "none", NULL, NULL, &m, e));
	m->make = arena_memdup(p->arena, make, sizeof(*make));
	return 0;
}

/* The mode of --perms, which is used up. */
static uint32_t mode_of(struct bwrap_words *p, uint32_t otherwise)
{
	uint32_t mode = p->mode == BWRAP_NO_MODE ? otherwise : (uint32_t)p->mode;

	p->mode = BWRAP_NO_MODE;
	return mode;
}

/* Of add_bind(). */
enum { READ_ONLY = 1, DEVICES = 2, OPTIONAL = 4 };

/* A relative source is seen from the caller's directory. */
static int source_path(struct bwrap_words *p, const char *source, const char **ret, struct nook_error *e)
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

static int add_bind(struct bwrap_words *p, char **arg, unsigned flags, struct nook_error *e)
{
	const char *words = arena_printf(p->arena, "rbind,rnosuid%s%s", flags & DEVICES ? "" : ",rnodev", flags & READ_ONLY ? ",rro" : "");
	struct spec_mount *m = NULL;
	const char *source = NULL;

	TRY(source_path(p, arg[1], &source, e));
	if (flags & OPTIONAL && access(source, F_OK) < 0 && errno == ENOENT)
		return 0;
	return add_mount(p, arg[2], "bind", source, words, &m, e);
}

static int add_bind_fd(struct bwrap_words *p, char **arg, unsigned flags, struct nook_error *e)
{
	int fd = TRY(bwrap_descriptor(p, arg[0], arg[1], e));
	struct spec_mount *m = NULL;

	TRY(add_mount(p, arg[2], "bind", arena_printf(p->arena, "fd:%d", fd), flags & READ_ONLY ? "rbind,rnosuid,rnodev,rro" : "rbind,rnosuid,rnodev",
		&m, e));
	m->source_fd = (struct opt_u64){(uint64_t)fd, true};
	return 0;
}

static int add_layers(struct bwrap_words *p, const char *option, const char *dest, const struct spec_layers *layers, struct nook_error *e)
{
	struct spec_layers *own = arena_memdup(p->arena, layers, sizeof(*layers));
	const char **lowers = arena_new_n(p->arena, const char *, p->n_sources + 1);
	struct spec_mount *m = NULL;

	if (!p->n_sources)
		return bwrap_refuse(option, "it needs at least one --overlay-src before it", e);
	if (layers->readonly && p->n_sources < 2)
		return bwrap_refuse(option, "it needs at least two --overlay-src before it", e);
	for (size_t i = 0; i < p->n_sources; i++)
		lowers[i] = p->sources[p->n_sources - 1 - i];
	own->lowers = lowers;
	p->n_sources = 0;
	p->sources = NULL;
	TRY(add_mount(p, dest, "overlay", lowers[0], "nosuid,nodev", &m, e));
	m->layers = own;
	return 0;
}

static int add_overlay(struct bwrap_words *p, char **arg, struct nook_error *e)
{
	struct spec_layers layers = {0};

	TRY(source_path(p, arg[1], &layers.upper, e));
	TRY(source_path(p, arg[2], &layers.work, e));
	return add_layers(p, arg[0], arg[3], &layers, e);
}

static int add_overlay_source(struct bwrap_words *p, char **arg, struct nook_error *e)
{
	const char *source = NULL;

	if (p->n_sources == SOURCES_MAX)
		return bwrap_refuse(arg[0], "an overlay has at most 64 layers", e);
	TRY(source_path(p, arg[1], &source, e));
	*arena_push(p->arena, &p->sources, &p->n_sources) = source;
	return 0;
}

static int add_proc(struct bwrap_words *p, char **arg, struct nook_error *e)
{
	/* Who may write there steers the machine. */
	static const char *const steering[] = {"sys", "sysrq-trigger", "irq", "bus"};
	const char *dest = bwrap_target(p, arg[1]);

	for (size_t i = 0; i < sizeof(steering) / sizeof(steering[0]); i++)
		*arena_push(p->arena, &p->covered, &p->n_covered) = arena_printf(p->arena, "%s/%s", dest, steering[i]);
	return add_mount(p, dest, "proc", "proc", "nosuid,noexec,nodev", &(struct spec_mount *){NULL}, e);
}

static const char *in_dev(struct bwrap_words *p, const char *dest, const char *name)
{
	return arena_printf(p->arena, "%s/%s", dest, name);
}

static int add_dev(struct bwrap_words *p, char **arg, struct nook_error *e)
{
	static const char *const nodes[] = {"null", "zero", "full", "random", "urandom", "tty"};
	static const char *const links[][2] = {{"fd", "/proc/self/fd"}, {"core", "/proc/kcore"}, {"ptmx", "pts/ptmx"},
		{"stdin", "/proc/self/fd/0"}, {"stdout", "/proc/self/fd/1"}, {"stderr", "/proc/self/fd/2"}};
	const char *dest = bwrap_target(p, arg[1]), *terminal = isatty(STDOUT_FILENO) ? ttyname(STDOUT_FILENO) : NULL;

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

static int add_tmpfs(struct bwrap_words *p, char **arg, struct nook_error *e)
{
	const char *words = arena_printf(p->arena, "nosuid,nodev,mode=%o", mode_of(p, 0755));

	if (p->bytes)
		words = arena_printf(p->arena, "%s,size=%llu", words, (unsigned long long)p->bytes);
	p->bytes = 0;
	return add_mount(p, arg[1], "tmpfs", "tmpfs", words, NULL, e);
}

static int add_data(struct bwrap_words *p, char **arg, enum make_kind kind, bool readonly, struct nook_error *e)
{
	struct spec_make make = {.kind = kind, .mode = mode_of(p, kind == MAKE_FILE ? 0666 : 0600), .readonly = readonly};
	const char *data = NULL;

	TRY(bwrap_read_fd(p, arg[0], arg[1], BWRAP_DATA_MAX, &data, &make.size, e));
	make.data = data;
	return add_make(p, arg[2], &make, e);
}

static int add_chmod(struct bwrap_words *p, char **arg, struct nook_error *e)
{
	uint32_t mode = 0;

	if (text_mode(arg[1], &mode) < 0)
		return bwrap_refuse(arg[0], "the mode is an octal number", e);
	return add_make(p, arg[2], &(struct spec_make){.kind = MAKE_MODE, .mode = mode}, e);
}

int bwrap_tree(struct bwrap_words *p, enum bwrap_option option, char **arg, struct nook_error *e)
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
