/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The rule language.  A rule is a word and, for most, a value; the same rows are options of `nook box`. */
#include "box/box.h"

#include "base/text.h"
#include "box/filter.h"
#include "box/ids.h"
#include "box/path_rules.h"
#include "box/rule.h"
#include "security/caps.h"

#include <string.h>

const struct box_rule box_rules[BOX_WORDS] = {
#define X(id, word, letter, value, help) [BOX_##id] = {word, letter, value, help},
#define F(id, word, help) [BOX_##id] = {word, 0, NULL, help},
	BOX_RULES(X, F)
#undef X
#undef F
};

enum { RULES_MAX = 4096 };

/* ---- lists --------------------------------------------------------------------------------------------------------- */

static int share_one(struct nook_box *b, char *word, struct nook_error *e)
{
	static const enum ns_kind kinds[] = {NS_IPC, NS_UTS, NS_CGROUP, NS_NET};

	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		if (text_is(word, ns_names[kinds[i]])) {
			b->shared |= 1U << kinds[i];
			return 0;
		}
	}
	return rule_refuse(word, "what can be shared is ipc, uts, cgroup and net", e);
}

static int add_share(struct nook_box *b, const char *value, struct nook_error *e)
{
	return rule_each_word(b, value, share_one, e);
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
	return rule_refuse(word, "what may be missing is landlock, pids, mem and cpu", e);
}

static int add_best_effort(struct nook_box *b, const char *value, struct nook_error *e)
{
	return rule_each_word(b, value, effort_one, e);
}

static int cap_one(struct nook_box *b, char *word, struct nook_error *e)
{
	const char *const add[] = {word, NULL};

	return caps_adjust(&b->caps, add, NULL, e);
}

static int add_cap(struct nook_box *b, const char *value, struct nook_error *e)
{
	return rule_each_word(b, value, cap_one, e);
}

/* ---- the process --------------------------------------------------------------------------------------------------- */

static int set_root(struct nook_box *b, const char *value, struct nook_error *e)
{
	return rule_path(b, value, &b->root, e);
}

static int set_cwd(struct nook_box *b, const char *value, struct nook_error *e)
{
	return rule_path(b, value, &b->cwd, e);
}

static int add_env(struct nook_box *b, const char *value, struct nook_error *e)
{
	size_t len = strcspn(value, "=");
	struct box_env *at = NULL;
	const char *name = arena_strndup(b->arena, value, len);

	if (!len)
		return rule_refuse(value, "it names no variable", e);
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
		return rule_refuse(value, "a host name has 1 to 64 characters", e);
	b->hostname = value;
	return 0;
}

static int add_fd(struct nook_box *b, const char *value, struct nook_error *e)
{
	size_t len = strcspn(value, "=");
	uint64_t fd = 0, as = 0;

	if (text_u64(arena_strndup(b->arena, value, len), &fd) < 0 || text_u64(value[len] ? value + len + 1 : value, &as) < 0 ||
		fd > BOX_FD_MAX || as > BOX_FD_MAX)
		return rule_refuse(value, "it is N or N=M, numbers of descriptors", e);
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
	return rule_refuse(value, "it is full, min or none", e);
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
	[BOX_RO] = box_add_ro,
	[BOX_RW] = box_add_rw,
	[BOX_DEV] = box_add_dev,
	[BOX_IF_EXISTS] = box_add_try,
	[BOX_TMP] = box_add_tmp,
	[BOX_OVERLAY] = box_add_overlay,
	[BOX_HIDE] = box_add_hide,
	[BOX_PUT] = box_add_put,
	[BOX_SOCK] = box_add_sock,
	[BOX_DBUS] = box_add_dbus,
	[BOX_PROC] = set_proc,
	[BOX_MAP] = box_add_map,
	[BOX_USERNS] = set_userns,
	[BOX_BARE] = set_bare,
	[BOX_ROOT] = set_root,
	[BOX_NET] = box_set_net,
	[BOX_ALLOW] = box_add_allow,
	[BOX_PUBLISH] = box_add_publish,
	[BOX_SHARE] = add_share,
	[BOX_LIMIT] = box_add_limit,
	[BOX_SYSCALLS] = box_set_syscalls,
	[BOX_CAP] = add_cap,
	[BOX_USER] = box_set_user,
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

int box_clone(const struct nook_box *b, struct nook_box **ret, struct nook_error *e)
{
	AUTO(box_free) struct nook_box *copy = box_new();

	copy->base = b->base ? arena_strdup(copy->arena, b->base) : NULL;
	for (size_t i = 0; i < b->n_lines; i++)
		TRY(box_add(copy, b->lines[i].word, b->lines[i].value, e));
	for (size_t i = 0; i < b->n_fds; i++)
		TRY(box_add_fd(copy, b->fds[i].fd, b->fds[i].as, e));
	for (size_t i = 0; i < b->n_files; i++)
		TRY(box_add_file(copy, b->files[i].target, b->files[i].data, b->files[i].size, e));
	copy->limits = b->limits;
	copy->pids_asked = b->pids_asked;
	*ret = take_ptr(&copy);
	return 0;
}
