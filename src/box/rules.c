/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The rule language.  A rule is a word and, for most, a value; the same rows are options of `nook box`. */
#include "box/box.h"

#include "base/fd.h"
#include "base/path.h"
#include "base/text.h"
#include "box/learned.h"
#include "security/caps.h"

#include <stdio.h>
#include <string.h>

const struct box_rule box_rules[BOX_WORDS] = {
#define X(id, word, letter, value, help) [BOX_##id] = {word, letter, value, help},
#define F(id, word, help) [BOX_##id] = {word, 0, NULL, help},
	BOX_RULES(X, F)
#undef X
#undef F
};

enum { PUT_MAX = 8 << 20, RULES_MAX = 4096, ID_MAX = INT32_MAX, FILES_MAX = 1 << 30 };

static int bad(const char *value, const char *why, struct nook_error *e)
{
	return err_why(e, STEP_OPTION, value, EINVAL, why);
}

/* ---- paths --------------------------------------------------------------------------------------------------------- */

/* An absolute path without "." and "..", as the host's kernel would take PATH, but for symbolic links. */
static int path_absolute(struct nook_box *b, const char *path, const char **ret, struct nook_error *e)
{
	char *whole;

	if (!*path)
		return bad(path, "the path is empty", e);
	if (path[0] != '/' && !b->base)
		return bad(path, "it is relative, and the current directory has no path", e);
	whole = arena_printf(b->arena, "%s/%s", path[0] == '/' ? "" : b->base, path);
	path_clean(whole);
	*ret = whole;
	return 0;
}

/* What such a path leads to depends on who opens it. */
static int check_own(const char *path, const char *value, struct nook_error *e)
{
	static const char *const own[] = {"/proc/self/", "/proc/thread-self/", "/dev/fd/", "/dev/stdin", "/dev/stdout", "/dev/stderr"};

	for (size_t i = 0; i < sizeof(own) / sizeof(own[0]); i++)
		if (text_after(path, own[i]))
			return bad(value, "it leads elsewhere for each process: give the path of the file itself", e);
	return 0;
}

/* "SOURCE[:TARGET]"; a colon of a name is written "\:". */
static int path_pair(struct nook_box *b, const char *value, struct box_path *ret, struct nook_error *e)
{
	char *source = arena_alloc(b->arena, strlen(value) + 1), *to = source;
	const char *target = NULL;

	for (const char *c = value; *c; c++) {
		if (*c == ':' && !target) {
			target = c + 1;
			break;
		}
		if (*c == '\\' && c[1] == ':')
			c++;
		*to++ = *c;
	}
	TRY(path_absolute(b, source, &ret->source, e));
	TRY(check_own(ret->source, value, e));
	ret->target = ret->source;
	if (target && target[0] != '/')
		return bad(value, "the target behind the colon is an absolute path", e);
	return target ? path_absolute(b, target, &ret->target, e) : 0;
}

static struct box_path *path_add(struct nook_box *b, const struct box_path *p)
{
	struct box_path *at = NULL;

	/* The later rule about the same place wins. */
	for (size_t i = 0; i < b->n_paths; i++)
		if (text_is(b->paths[i].target, p->target) && (b->paths[i].kind >= BOX_PATH_HIDE) == (p->kind >= BOX_PATH_HIDE))
			at = &b->paths[i];
	if (!at)
		at = arena_push(b->arena, &b->paths, &b->n_paths);
	*at = *p;
	at->rule = (int)b->n_lines + 1;
	return at;
}

static int add_bind(struct nook_box *b, enum box_path_kind kind, bool if_exists, const char *value, struct nook_error *e)
{
	struct box_path p = {.kind = kind, .if_exists = if_exists};

	TRY(path_pair(b, value, &p, e));
	if (text_is(p.target, "/"))
		return bad(value, "the root itself is given by root, not by a path in it", e);
	(void)path_add(b, &p);
	return 0;
}

static int add_ro(struct nook_box *b, const char *value, struct nook_error *e)
{
	return add_bind(b, BOX_PATH_RO, false, value, e);
}

static int add_rw(struct nook_box *b, const char *value, struct nook_error *e)
{
	return add_bind(b, BOX_PATH_RW, false, value, e);
}

static int add_dev(struct nook_box *b, const char *value, struct nook_error *e)
{
	return add_bind(b, BOX_PATH_DEV, false, value, e);
}

static int add_try(struct nook_box *b, const char *value, struct nook_error *e)
{
	return add_bind(b, BOX_PATH_RO, true, value, e);
}

/* "PATH[:TARGET][,keep=DIR]" */
static int add_overlay(struct nook_box *b, const char *value, struct nook_error *e)
{
	struct box_path p = {.kind = BOX_PATH_OVERLAY};
	const char *keep = strstr(value, ",keep=");

	TRY(path_pair(b, keep ? arena_strndup(b->arena, value, (size_t)(keep - value)) : value, &p, e));
	if (keep)
		TRY(path_absolute(b, keep + strlen(",keep="), &p.keep, e));
	if (text_is(p.target, "/"))
		return bad(value, "the root itself is given by root, not by a path in it", e);
	(void)path_add(b, &p);
	return 0;
}

static int add_sock(struct nook_box *b, const char *value, struct nook_error *e)
{
	struct box_path p = {.kind = BOX_PATH_RO, .socket = true};

	TRY(path_pair(b, value, &p, e));
	(void)path_add(b, &p);
	return 0;
}

static int add_tmp(struct nook_box *b, const char *value, struct nook_error *e)
{
	size_t len = strcspn(value, ",");
	struct box_path p = {.kind = BOX_PATH_TMP};
	const char *size = value[len] ? text_after(value + len + 1, "size=") : NULL;

	if (value[0] != '/')
		return bad(value, "the directory is an absolute path", e);
	if (value[len] && (!size || text_bytes(size, &p.bytes) < 0 || !p.bytes))
		return bad(value, "behind the comma stands size=BYTES", e);
	TRY(path_absolute(b, arena_strndup(b->arena, value, len), &p.target, e));
	if (text_is(p.target, "/"))
		return bad(value, "an empty root is given by bare", e);
	(void)path_add(b, &p);
	return 0;
}

static int add_hide(struct nook_box *b, const char *value, struct nook_error *e)
{
	struct box_path p = {.kind = BOX_PATH_HIDE};

	if (strpbrk(value, "*?[")) {
		p.kind = BOX_PATH_GLOB;
		p.target = value;
		if (value[0] != '/' && !text_after(value, "**/"))
			return bad(value, "a pattern starts with / or **/", e);
		(void)path_add(b, &p);
		return 0;
	}
	TRY(path_absolute(b, value, &p.target, e));
	if (text_is(p.target, "/"))
		return bad(value, "the root cannot be hidden", e);
	(void)path_add(b, &p);
	return 0;
}

int box_add_file(struct nook_box *b, const char *target, const void *data, size_t size, struct nook_error *e)
{
	struct box_file f = {.data = arena_memdup(b->arena, data, size ? size : 1), .size = size};

	if (target[0] != '/')
		return bad(target, "the target is an absolute path", e);
	if (size > PUT_MAX)
		return err_num(e, STEP_OPTION, target, EFBIG);
	TRY(path_absolute(b, target, &f.target, e));
	for (size_t i = 0; i < b->n_files; i++) {
		if (text_is(b->files[i].target, f.target)) {
			b->files[i] = f;
			return 0;
		}
	}
	*arena_push(b->arena, &b->files, &b->n_files) = f;
	return 0;
}

/* "fd:N", which is read to its end. */
static int put_from_fd(struct nook_box *b, const char *target, const char *number, struct nook_error *e)
{
	auto_free char *data = xcalloc(1, PUT_MAX + 1);
	uint64_t fd = 0;
	ssize_t n;

	if (text_u64(number, &fd) < 0 || fd > BOX_FD_MAX)
		return bad(number, "behind fd: stands the number of a descriptor", e);
	n = fd_read((int)fd, data, PUT_MAX + 1);
	return n < 0 ? err_num(e, STEP_FILE, target, (int)n) : box_add_file(b, target, data, (size_t)n, e);
}

/* "TARGET=TEXT" or "TARGET=@FILE" or "TARGET=fd:N", which are read now. */
static int add_put(struct nook_box *b, const char *value, struct nook_error *e)
{
	AUTO_VALUE(buf_done) struct buf text = {0};
	size_t len = strcspn(value, "=");
	const char *target = arena_strndup(b->arena, value, len), *file = NULL;

	if (!value[len])
		return bad(value, "it is TARGET=TEXT, TARGET=@FILE or TARGET=fd:N", e);
	if (text_after(value + len + 1, "fd:"))
		return put_from_fd(b, target, value + len + 1 + strlen("fd:"), e);
	if (value[len + 1] != '@')
		return box_add_file(b, target, value + len + 1, strlen(value + len + 1), e);
	TRY(path_absolute(b, value + len + 2, &file, e));
	TRY(file_read(AT_FDCWD, file, PUT_MAX, &text, e));
	return box_add_file(b, target, buf_text(&text), text.len, e);
}

static int set_root(struct nook_box *b, const char *value, struct nook_error *e)
{
	return path_absolute(b, value, &b->root, e);
}

static int set_cwd(struct nook_box *b, const char *value, struct nook_error *e)
{
	return path_absolute(b, value, &b->cwd, e);
}

/* ---- lists --------------------------------------------------------------------------------------------------------- */

/* Calls EACH for every word of a comma list. */
static int each_word(struct nook_box *b, const char *value, int (*each)(struct nook_box *b, char *word, struct nook_error *e),
	struct nook_error *e)
{
	char *words = arena_strdup(b->arena, value), *rest = NULL;

	if (!*value)
		return bad(value, "the list is empty", e);
	for (char *word = strtok_r(words, ",", &rest); word; word = strtok_r(NULL, ",", &rest))
		TRY(each(b, word, e));
	return 0;
}

static int share_one(struct nook_box *b, char *word, struct nook_error *e)
{
	static const enum ns_kind kinds[] = {NS_IPC, NS_UTS, NS_CGROUP, NS_NET};

	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		if (text_is(word, ns_names[kinds[i]])) {
			b->shared |= 1U << kinds[i];
			return 0;
		}
	}
	return bad(word, "what can be shared is ipc, uts, cgroup and net", e);
}

static int add_share(struct nook_box *b, const char *value, struct nook_error *e)
{
	return each_word(b, value, share_one, e);
}

static int effort_one(struct nook_box *b, char *word, struct nook_error *e)
{
	static const char *const names[] = {"landlock", "pids", "mem", "cpu"};

	for (unsigned i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (text_is(word, names[i])) {
			b->best_effort |= 1U << i;
			return 0;
		}
	}
	return bad(word, "what may be missing is landlock, pids, mem and cpu", e);
}

static int add_best_effort(struct nook_box *b, const char *value, struct nook_error *e)
{
	return each_word(b, value, effort_one, e);
}

static int cap_one(struct nook_box *b, char *word, struct nook_error *e)
{
	const char *const add[] = {word, NULL};

	return caps_adjust(&b->caps, add, NULL, e);
}

static int add_cap(struct nook_box *b, const char *value, struct nook_error *e)
{
	return each_word(b, value, cap_one, e);
}

/* ---- limits -------------------------------------------------------------------------------------------------------- */

enum limit_unit { UNIT_BYTES, UNIT_COUNT, UNIT_CPUS, UNIT_TIME };

static const struct {
	const char *name;
	size_t offset;
	enum limit_unit unit;
	uint64_t min, max;
} limit_rows[] = {
	{"mem", offsetof(struct box_limits, mem), UNIT_BYTES, 1 << 20, INT64_MAX},
	{"pids", offsetof(struct box_limits, pids), UNIT_COUNT, 1, 1 << 22},
	{"cpu", offsetof(struct box_limits, cpu), UNIT_CPUS, 10000, UINT64_C(1000000) * 65536},
	{"time", offsetof(struct box_limits, time_us), UNIT_TIME, 1, INT64_MAX / 1000},
	{"wall", offsetof(struct box_limits, wall_us), UNIT_TIME, 1, INT64_MAX / 1000},
	{"files", offsetof(struct box_limits, files), UNIT_COUNT, 4, FILES_MAX},
	{"fsize", offsetof(struct box_limits, fsize), UNIT_BYTES, 0, INT64_MAX},
	{"stack", offsetof(struct box_limits, stack), UNIT_BYTES, 65536, INT64_MAX},
	{"output", offsetof(struct box_limits, output), UNIT_BYTES, 1, INT64_MAX},
};

static int limit_find(const char *name)
{
	for (int i = 0; i < (int)(sizeof(limit_rows) / sizeof(limit_rows[0])); i++)
		if (text_is(limit_rows[i].name, name))
			return i;
	return -ENOENT;
}

int box_limit_set(struct nook_box *b, const char *name, uint64_t value)
{
	int i = TRY(limit_find(name));

	if (value < limit_rows[i].min || value > limit_rows[i].max)
		return -ERANGE;
	b->pids_asked = b->pids_asked || text_is(name, "pids");
	*(struct opt_u64 *)((char *)&b->limits + limit_rows[i].offset) = (struct opt_u64){value, true};
	return 0;
}

static int limit_value(const char *text, enum limit_unit unit, uint64_t *ret)
{
	int64_t ns = 0;

	switch (unit) {
	case UNIT_BYTES:
		return text_bytes(text, ret);
	case UNIT_COUNT:
		return text_u64(text, ret);
	case UNIT_CPUS:
		return text_micros(text, ret);
	case UNIT_TIME:
		TRY(text_duration(text, &ns));
		*ret = ns > 0 ? ((uint64_t)ns + 999) / 1000 : 0;
		return 0;
	}
	return -EINVAL;
}

static int limit_one(struct nook_box *b, char *word, struct nook_error *e)
{
	char *equals = strchr(word, '=');
	uint64_t value = 0;
	int i;

	if (!equals)
		return bad(word, "a limit is NAME=VALUE", e);
	*equals = 0;
	i = limit_find(word);
	if (i < 0)
		return bad(word, "limits are mem, pids, cpu, time, wall, files, fsize, stack and output", e);
	if (limit_value(equals + 1, limit_rows[i].unit, &value) < 0)
		return err_fmt(e, STEP_OPTION, word, EINVAL, "\"%s\" is no value for it", equals + 1);
	if (box_limit_set(b, word, value) < 0)
		return err_fmt(e, STEP_OPTION, word, ERANGE, "\"%s\" is out of range", equals + 1);
	return 0;
}

static int add_limit(struct nook_box *b, const char *value, struct nook_error *e)
{
	return each_word(b, value, limit_one, e);
}

/* ---- the process --------------------------------------------------------------------------------------------------- */

/* For programs that only compute: no sockets, no looking at others, no memory shared by name. */
const char box_strict_calls[] =
	"socket,ptrace,process_vm_readv,process_vm_writev,pidfd_getfd,kcmp,shmget,shmat,msgget,semget,mq_open,personality,chroot,"
	"unshare,setns,mount,umount2,pivot_root,open_tree,move_mount,fsopen,mount_setattr,inotify_init1,fanotify_init,memfd_secret";

static int deny_one(struct nook_box *b, char *word, struct nook_error *e)
{
	/* Names are checked when the filter is made, against this machine's kernel interface. */
	*arena_push(b->arena, &b->denied, &b->n_denied) = word;
	return *word ? 0 : bad(word, "a system call has a name", e);
}

static int set_syscalls(struct nook_box *b, const char *value, struct nook_error *e)
{
	const char *names = text_after(value, "deny ");

	if (text_is(value, "default") || text_is(value, "none") || text_is(value, "strict")) {
		b->no_filter = text_is(value, "none");
		b->filter_file = NULL;
		b->n_denied = 0;
		return text_is(value, "strict") ? each_word(b, box_strict_calls, deny_one, e) : 0;
	}
	if (names)
		return each_word(b, names + strspn(names, " "), deny_one, e);
	if (*value == '@' && value[1])
		return path_absolute(b, value + 1, &b->filter_file, e);
	return bad(value, "it is default, strict, none, @FILE or deny NAME,...", e);
}

static int set_user(struct nook_box *b, const char *value, struct nook_error *e)
{
	size_t len = strcspn(value, ":");
	uint64_t uid = 0, gid = 0;

	if (text_u64(arena_strndup(b->arena, value, len), &uid) < 0 || uid > ID_MAX)
		return bad(value, "the user is UID or UID:GID, in digits", e);
	gid = uid;
	if (value[len] && (text_u64(value + len + 1, &gid) < 0 || gid > ID_MAX))
		return bad(value, "the user is UID or UID:GID, in digits", e);
	b->uid = (struct opt_u64){uid, true};
	b->gid = (struct opt_u64){gid, true};
	return 0;
}

static int add_env(struct nook_box *b, const char *value, struct nook_error *e)
{
	size_t len = strcspn(value, "=");
	struct box_env *at = NULL;
	const char *name = arena_strndup(b->arena, value, len);

	if (!len)
		return bad(value, "it names no variable", e);
	for (size_t i = 0; i < b->n_env; i++)
		if (text_is(b->env[i].name, name))
			at = &b->env[i];
	if (!at)
		at = arena_push(b->arena, &b->env, &b->n_env);
	*at = (struct box_env){name, value[len] ? value + len + 1 : NULL};
	return 0;
}

static int set_hostname(struct nook_box *b, const char *value, struct nook_error *e)
{
	if (!*value || strlen(value) > 64)
		return bad(value, "a host name has 1 to 64 characters", e);
	b->hostname = value;
	return 0;
}

static int add_fd(struct nook_box *b, const char *value, struct nook_error *e)
{
	size_t len = strcspn(value, "=");
	uint64_t fd = 0, as = 0;

	if (text_u64(arena_strndup(b->arena, value, len), &fd) < 0 || text_u64(value[len] ? value + len + 1 : value, &as) < 0 ||
		fd > BOX_FD_MAX || as > BOX_FD_MAX)
		return bad(value, "it is N or N=M, numbers of descriptors", e);
	return box_add_fd(b, (int)fd, (int)as, e);
}

static int set_proc(struct nook_box *b, const char *value, struct nook_error *e)
{
	static const char *const words[] = {[BOX_PROC_FULL] = "full", [BOX_PROC_MIN] = "min", [BOX_PROC_NONE] = "none"};

	for (int i = BOX_PROC_FULL; i <= BOX_PROC_NONE; i++) {
		if (text_is(value, words[i])) {
			b->proc = (enum box_proc)i;
			return 0;
		}
	}
	return bad(value, "it is full, min or none", e);
}

/* "auto" or "IN:OUT:N"; several lines add up. */
static int add_map(struct nook_box *b, const char *value, struct nook_error *e)
{
	uint64_t number[3] = {0};
	char *words = arena_strdup(b->arena, value), *rest = words;

	b->map_auto = text_is(value, "auto");
	if (b->map_auto) {
		b->n_maps = 0;
		return 0;
	}
	for (int i = 0; i < 3; i++) {
		char *word = strsep(&rest, ":");

		if (!word || text_u64(word, &number[i]) < 0 || number[i] > ID_MAX)
			return bad(value, "it is auto or IN:OUT:N, in digits", e);
	}
	if (rest || !number[2])
		return bad(value, "it is auto or IN:OUT:N, in digits", e);
	*arena_push(b->arena, &b->maps, &b->n_maps) = (struct spec_idmap){(uint32_t)number[0], (uint32_t)number[1], (uint32_t)number[2]};
	return 0;
}

static int set_userns(struct nook_box *b, const char *value, struct nook_error *e)
{
	b->userns = true;
	return 0;
}

static int set_bare(struct nook_box *b, const char *value, struct nook_error *e)
{
	b->bare = true;
	return 0;
}

static int set_fake_root(struct nook_box *b, const char *value, struct nook_error *e)
{
	b->fake_root = true;
	return 0;
}

static int set_clearenv(struct nook_box *b, const char *value, struct nook_error *e)
{
	b->clearenv = true;
	return 0;
}

/* ---- the table ----------------------------------------------------------------------------------------------------- */

static int (*const apply[BOX_WORDS])(struct nook_box *b, const char *value, struct nook_error *e) = {
	[BOX_RO] = add_ro,
	[BOX_RW] = add_rw,
	[BOX_DEV] = add_dev,
	[BOX_IF_EXISTS] = add_try,
	[BOX_TMP] = add_tmp,
	[BOX_OVERLAY] = add_overlay,
	[BOX_HIDE] = add_hide,
	[BOX_PUT] = add_put,
	[BOX_SOCK] = add_sock,
	[BOX_DBUS] = box_add_dbus,
	[BOX_PROC] = set_proc,
	[BOX_MAP] = add_map,
	[BOX_USERNS] = set_userns,
	[BOX_BARE] = set_bare,
	[BOX_ROOT] = set_root,
	[BOX_NET] = box_set_net,
	[BOX_ALLOW] = box_add_allow,
	[BOX_PUBLISH] = box_add_publish,
	[BOX_SHARE] = add_share,
	[BOX_LIMIT] = add_limit,
	[BOX_SYSCALLS] = set_syscalls,
	[BOX_CAP] = add_cap,
	[BOX_USER] = set_user,
	[BOX_FAKE_ROOT] = set_fake_root,
	[BOX_ENV] = add_env,
	[BOX_CLEARENV] = set_clearenv,
	[BOX_CWD] = set_cwd,
	[BOX_HOSTNAME] = set_hostname,
	[BOX_FD] = add_fd,
	[BOX_PROFILE] = box_add_profile,
	[BOX_BEST_EFFORT] = add_best_effort,
};

int box_add(struct nook_box *b, enum box_word word, const char *value, struct nook_error *e)
{
	const struct box_rule *rule = &box_rules[word];
	const char *own = value ? arena_strdup(b->arena, value) : NULL;

	if (rule->value && !value)
		return err_fmt(e, STEP_OPTION, rule->word, EINVAL, "it wants a value: %s", rule->value);
	if (!rule->value && value && *value)
		return err_why(e, STEP_OPTION, rule->word, EINVAL, "it takes no value");
	if (b->n_lines == RULES_MAX)
		return err_why(e, STEP_OPTION, rule->word, E2BIG, "a box has at most 4096 rules");
	TRY(apply[word](b, own, e));
	/* Copies of a box take its descriptors and files one by one, and the rules of a profile, not its name. */
	if (word == BOX_FD || word == BOX_PROFILE || word == BOX_PUT)
		return 0;
	*arena_push(b->arena, &b->lines, &b->n_lines) = (struct box_line){word, own};
	return 0;
}

int box_add_word(struct nook_box *b, const char *word, const char *value, struct nook_error *e)
{
	for (int i = 0; i < BOX_WORDS; i++)
		if (text_is(box_rules[i].word, word))
			return box_add(b, (enum box_word)i, value, e);
	return err_why(e, STEP_OPTION, word, EINVAL, "there is no such rule");
}

int box_add_text(struct nook_box *b, const char *text, struct nook_error *e)
{
	for (int number = 1; *text; number++) {
		size_t len = strcspn(text, "\n");
		char *line = arena_strndup(b->arena, text, len), *end = line + len, *value;
		int r = 0;

		text += len + (text[len] == '\n');
		while (end > line && strchr(" \t\r", end[-1]))
			*--end = 0;
		line += strspn(line, " \t");
		value = line + strcspn(line, " \t");
		if (*value) {
			*value++ = 0;
			value += strspn(value, " \t");
		}
		if (*line && *line != '#')
			r = box_add_word(b, line, *value ? value : NULL, e);
		if (r < 0) {
			if (e)
				e->rule = number;
			return r;
		}
	}
	return 0;
}
