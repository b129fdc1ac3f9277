/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "security/seccomp_profile.h"

#include "base/text.h"
#include "security/caps.h"
#include "security/seccomp.h"
#include "security/seccomp_names.h"
#include "sys/kernel.h"

#include <stdio.h>

/* The largest profiles in use have 40 KB. */
enum { PROFILE_MAX = 4 << 20 };

/* ---- the OCI form ------------------------------------------------------------------------------------------------ */

static const struct bind_word action_words[] = {
	{"SCMP_ACT_ALLOW", SECCOMP_RET_ALLOW},
	{"SCMP_ACT_ERRNO", SECCOMP_RET_ERRNO},
	{"SCMP_ACT_KILL_THREAD", SECCOMP_RET_KILL_THREAD},
	{"SCMP_ACT_KILL_PROCESS", (int32_t)SECCOMP_RET_KILL_PROCESS},
	{"SCMP_ACT_KILL", SECCOMP_RET_KILL_THREAD},
	{"SCMP_ACT_TRAP", SECCOMP_RET_TRAP},
	{"SCMP_ACT_TRACE", SECCOMP_RET_TRACE},
	{"SCMP_ACT_LOG", SECCOMP_RET_LOG},
	{"SCMP_ACT_NOTIFY", SECCOMP_RET_USER_NOTIF},
	{NULL, 0},
};

static const struct bind_word op_words[] = {
	{"SCMP_CMP_NE", SECCOMP_OP_NE},
	{"SCMP_CMP_LT", SECCOMP_OP_LT},
	{"SCMP_CMP_LE", SECCOMP_OP_LE},
	{"SCMP_CMP_EQ", SECCOMP_OP_EQ},
	{"SCMP_CMP_GE", SECCOMP_OP_GE},
	{"SCMP_CMP_GT", SECCOMP_OP_GT},
	{"SCMP_CMP_MASKED_EQ", SECCOMP_OP_MASKED_EQ},
	{NULL, 0},
};

static const struct bind_word flag_words[] = {
	{"SECCOMP_FILTER_FLAG_TSYNC", SECCOMP_FILTER_FLAG_TSYNC},
	{"SECCOMP_FILTER_FLAG_LOG", SECCOMP_FILTER_FLAG_LOG},
	{"SECCOMP_FILTER_FLAG_SPEC_ALLOW", SECCOMP_FILTER_FLAG_SPEC_ALLOW},
	{"SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV", SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV},
	{NULL, 0},
};

/* "flags": [] is not the same as no flags at all. */
static int flags_read(struct bind_reader *r, struct json *value, void *member, struct nook_error *e)
{
	struct spec_seccomp *s = member;
	uint64_t flags = 0;

	TRY(bind_expect(r, value, JSON_ARRAY, e));
	for (size_t i = 0; i < json_length(value); i++) {
		struct json *item = json_at(value, i);
		const struct bind_word *word;

		TRY(bind_enter(r, NULL, i, e));
		TRY(bind_expect(r, item, JSON_STRING, e));
		word = bind_word_find(flag_words, json_string(item));
		if (!word)
			return bind_refuse(r, e, "\"%s\" is unknown here", json_string(item));
		bind_leave(r);
		flags |= (uint64_t)word->value;
	}
	s->flags = (uint32_t)flags;
	s->has_flags = true;
	return 0;
}

static void flags_write(struct json_out *o, const char *key, const void *member)
{
	const struct spec_seccomp *s = member;

	if (!s->has_flags)
		return;
	json_out_array(o, key);
	for (const struct bind_word *word = flag_words; word->word; word++)
		if (s->flags & (uint32_t)word->value)
			json_out_string(o, NULL, word->word);
	json_out_array_end(o);
}

static const struct bind_custom flags_custom = {flags_read, flags_write};

static const struct bind arg_table[] = {
	{AT(struct seccomp_arg, index), BIND_UINT, "index", .flags = BIND_REQUIRED},
	{AT(struct seccomp_arg, value), BIND_UINT, "value", .flags = BIND_REQUIRED},
	{AT(struct seccomp_arg, value_two), BIND_UINT, "valueTwo"},
	{AT(struct seccomp_arg, op), BIND_WORD, "op", .words = op_words, .flags = BIND_REQUIRED},
	{0},
};

static const struct bind rule_table[] = {
	{AT(struct seccomp_rule, names), BIND_STRINGS, "names"},
	{AT(struct seccomp_rule, action), BIND_WORD, "action", .words = action_words, .flags = BIND_REQUIRED},
	{AT(struct seccomp_rule, errno_ret), BIND_OPT_UINT, "errnoRet"},
	{LIST(struct seccomp_rule, args, n_args), BIND_ARRAY, "args", .table = arg_table},
	{0},
};

static const struct bind common_table[] = {
	{AT(struct spec_seccomp, default_action), BIND_WORD, "defaultAction", .words = action_words,
		.flags = BIND_REQUIRED},
	{AT(struct spec_seccomp, default_errno), BIND_OPT_UINT, "defaultErrnoRet"},
	{AT(struct spec_seccomp, archs), BIND_STRINGS, "architectures"},
	{.type = BIND_CUSTOM, .name = "flags", .custom = &flags_custom},
	{AT(struct spec_seccomp, listener_path), BIND_STRING, "listenerPath"},
	{AT(struct spec_seccomp, listener_metadata), BIND_STRING, "listenerMetadata"},
	{0},
};

static const struct bind oci_table[] = {
	{.type = BIND_INLINE, .table = common_table},
	{LIST(struct spec_seccomp, rules, n_rules), BIND_ARRAY, "syscalls", .table = rule_table},
	{0},
};

/* ---- what no table can say --------------------------------------------------------------------------------------- */

static int errno_check(
	struct bind_reader *r, const char *member, uint32_t action, struct opt_u64 value, struct nook_error *e)
{
	if (!value.set)
		return 0;
	TRY(bind_enter(r, member, 0, e));
	if (action != SECCOMP_RET_ERRNO && action != SECCOMP_RET_TRACE)
		return bind_refuse(r, e, "means nothing with %s", bind_word_of(action_words, (int32_t)action));
	if (value.value > SECCOMP_RET_DATA)
		return bind_refuse(
			r, e, "%llu is not between 0 and %u", (unsigned long long)value.value, SECCOMP_RET_DATA);
	bind_leave(r);
	return 0;
}

static int rule_check(struct bind_reader *r, const struct seccomp_rule *rule, struct nook_error *e)
{
	if (!rule->names || !rule->names[0])
		return bind_refuse(r, e, "names no system call");
	TRY(errno_check(r, "errnoRet", rule->action, rule->errno_ret, e));
	if (rule->n_args > SECCOMP_ARGS)
		return bind_refuse(r, e, "has %zu conditions, but a call has %d arguments", rule->n_args, SECCOMP_ARGS);
	for (size_t i = 0; i < rule->n_args; i++)
		if (rule->args[i].index >= SECCOMP_ARGS)
			return bind_refuse(r, e, "args[%zu].index is %u, but a call has %d arguments", i,
				rule->args[i].index, SECCOMP_ARGS);
	if (rule->action != SECCOMP_RET_USER_NOTIF)
		return 0;
	/* The runtime itself writes once more behind its own filter, and nobody would answer. */
	for (const char *const *name = rule->names; *name; name++)
		if (text_is(*name, "write"))
			return bind_refuse(r, e, "SCMP_ACT_NOTIFY cannot be used for write");
	return 0;
}

static int profile_check(struct bind_reader *r, struct spec_seccomp *s, struct nook_error *e)
{
	TRY(errno_check(r, "defaultErrnoRet", s->default_action, s->default_errno, e));
	if (s->default_action == SECCOMP_RET_USER_NOTIF) {
		TRY(bind_enter(r, "defaultAction", 0, e));
		return bind_refuse(r, e, "SCMP_ACT_NOTIFY cannot be the default");
	}
	TRY(bind_enter(r, "architectures", 0, e));
	for (size_t i = 0; s->archs && s->archs[i]; i++) {
		TRY(bind_enter(r, NULL, i, e));
		if (!seccomp_arch_is_known(s->archs[i]))
			return bind_refuse(r, e, "\"%s\" is unknown here", s->archs[i]);
		bind_leave(r);
	}
	bind_leave(r);
	s->source = SECCOMP_PROFILE;
	return 0;
}

static int rules_check(struct bind_reader *r, const struct spec_seccomp *s, struct nook_error *e)
{
	TRY(bind_enter(r, "syscalls", 0, e));
	for (size_t i = 0; i < s->n_rules; i++) {
		TRY(bind_enter(r, NULL, i, e));
		TRY(rule_check(r, &s->rules[i], e));
		bind_leave(r);
	}
	bind_leave(r);
	return 0;
}

static int oci_read(struct bind_reader *r, struct json *value, void *member, struct nook_error *e)
{
	struct spec_seccomp *s = member;

	*s = (struct spec_seccomp){0};
	TRY(bind_read_table(r, value, oci_table, s, e));
	TRY(rules_check(r, s, e));
	return profile_check(r, s, e);
}

static void oci_write(struct json_out *o, const char *key, const void *member)
{
	const struct spec_seccomp *s = member;

	if (s->source != SECCOMP_PROFILE)
		return;
	json_out_object(o, key);
	bind_write_table(o, oci_table, s);
	json_out_object_end(o);
}

const struct bind_custom seccomp_profile_bind = {oci_read, oci_write};

void seccomp_profile_text(const struct spec_seccomp *s, enum json_style style, struct buf *text)
{
	bind_text(oci_table, s, style, text);
}

/* ---- docker's form ----------------------------------------------------------------------------------------------- */

struct condition {
	const char *const *caps, *const *arches;
	const char *min_kernel;
};

struct docker_rule {
	struct seccomp_rule rule;
	const char *name;       /* an older spelling of names */
	const char *errno_name; /* podman: "EPERM" */
	struct condition includes, excludes;
};

struct docker_arch {
	const char *name;
	const char *const *subs;
};

struct docker_profile {
	struct spec_seccomp common;
	const char *default_errno_name;
	struct docker_arch *arch_map;
	size_t n_arch_map;
	struct docker_rule *rules;
	size_t n_rules;
};

static const struct bind condition_table[] = {
	{AT(struct condition, caps), BIND_STRINGS, "caps"},
	{AT(struct condition, arches), BIND_STRINGS, "arches"},
	{AT(struct condition, min_kernel), BIND_STRING, "minKernel"},
	{0},
};

static const struct bind docker_rule_table[] = {
	{AT(struct docker_rule, rule), BIND_INLINE, .table = rule_table},
	{AT(struct docker_rule, name), BIND_STRING, "name"},
	{AT(struct docker_rule, errno_name), BIND_STRING, "errno"},
	{AT(struct docker_rule, includes), BIND_STRUCT, "includes", .table = condition_table},
	{AT(struct docker_rule, excludes), BIND_STRUCT, "excludes", .table = condition_table},
	{0},
};

static const struct bind docker_arch_table[] = {
	{AT(struct docker_arch, name), BIND_STRING, "architecture", .flags = BIND_REQUIRED},
	{AT(struct docker_arch, subs), BIND_STRINGS, "subArchitectures"},
	{0},
};

static const struct bind docker_table[] = {
	{AT(struct docker_profile, common), BIND_INLINE, .table = common_table},
	{AT(struct docker_profile, default_errno_name), BIND_STRING, "defaultErrno"},
	{LIST(struct docker_profile, arch_map, n_arch_map), BIND_ARRAY, "archMap", .table = docker_arch_table},
	{LIST(struct docker_profile, rules, n_rules), BIND_ARRAY, "syscalls", .table = docker_rule_table},
	{0},
};

/* How Go, and so docker, calls the architecture that OCI calls SCMP_ARCH_X. */
static const struct {
	const char *oci, *docker;
} arch_names[] = {
	{"SCMP_ARCH_X86_64", "amd64"},
	{"SCMP_ARCH_X86", "x86"},
	{"SCMP_ARCH_AARCH64", "arm64"},
	{"SCMP_ARCH_ARM", "arm"},
	{"SCMP_ARCH_RISCV64", "riscv64"},
	{"SCMP_ARCH_PPC64LE", "ppc64le"},
	{"SCMP_ARCH_PPC64", "ppc64"},
	{"SCMP_ARCH_S390X", "s390x"},
	{"SCMP_ARCH_MIPSEL64", "mips64le"},
	{"SCMP_ARCH_LOONGARCH64", "loong64"},
};

/* What conditions are judged by. */
struct machine {
	uint64_t caps;
	const char *arch;
	unsigned kernel; /* KERNEL() */
};

static struct machine machine_of(uint64_t caps)
{
	struct machine m = {.caps = caps, .arch = "", .kernel = kernel_version()};

	for (size_t i = 0; i < sizeof(arch_names) / sizeof(arch_names[0]); i++)
		if (text_is(arch_names[i].oci, seccomp_abi_at(0)->name))
			m.arch = arch_names[i].docker;
	return m;
}

static bool has_cap(const struct machine *m, const char *name)
{
	int cap = caps_find(name);

	return cap >= 0 && (m->caps & CAPS_BIT((unsigned)cap));
}

static bool has_word(const char *const *list, const char *word)
{
	for (; *list; list++)
		if (text_is(*list, word))
			return true;
	return false;
}

/* 1 or 0: is the running kernel at least VERSION? */
static int is_kernel(struct bind_reader *r, const struct machine *m, const char *version, struct nook_error *e)
{
	unsigned major = 0, minor = 0;
	char end = 0;

	if (sscanf(version, "%5u.%5u%c", &major, &minor, &end) != 2)
		return bind_refuse(r, e, "minKernel \"%s\" is no kernel version such as 4.8", version);
	return major <= UINT8_MAX && m->kernel >= KERNEL(major, minor < UINT8_MAX ? minor : UINT8_MAX);
}

/* 1 or 0.  All of the includes must hold: the architecture, every capability, the kernel. */
static int is_included(struct bind_reader *r, const struct machine *m, const struct condition *c, struct nook_error *e)
{
	if (c->arches && c->arches[0] && !has_word(c->arches, m->arch))
		return 0;
	for (const char *const *cap = c->caps; cap && *cap; cap++)
		if (!has_cap(m, *cap))
			return 0;
	return c->min_kernel && c->min_kernel[0] ? is_kernel(r, m, c->min_kernel, e) : 1;
}

/* 1 or 0.  Any of the excludes is enough. */
static int is_excluded(struct bind_reader *r, const struct machine *m, const struct condition *c, struct nook_error *e)
{
	if (c->arches && has_word(c->arches, m->arch))
		return 1;
	for (const char *const *cap = c->caps; cap && *cap; cap++)
		if (has_cap(m, *cap))
			return 1;
	return c->min_kernel && c->min_kernel[0] ? is_kernel(r, m, c->min_kernel, e) : 0;
}

/* podman spells the number a second time, as a word; it counts where there is no number. */
static int errno_from_name(struct bind_reader *r, const char *name, struct opt_u64 *value, struct nook_error *e)
{
	enum { ERRNO_MAX = 200 };

	if (!name || !*name || value->set)
		return 0;
	for (int i = 1; i < ERRNO_MAX; i++) {
		const char *known = strerrorname_np(i);

		if (known && text_is(known, name)) {
			*value = (struct opt_u64){(uint64_t)i, true};
			return 0;
		}
	}
	return bind_refuse(r, e, "\"%s\" is no error number", name);
}

static int docker_rules(struct bind_reader *r, const struct docker_profile *p, const struct machine *m,
	struct spec_seccomp *s, struct nook_error *e)
{
	TRY(bind_enter(r, "syscalls", 0, e));
	for (size_t i = 0; i < p->n_rules; i++) {
		struct docker_rule *d = &p->rules[i];

		TRY(bind_enter(r, NULL, i, e));
		if (d->name && d->rule.names)
			return bind_refuse(r, e, "has both name and names");
		if (d->name) {
			const char **names = arena_new_n(r->arena, const char *, 2);

			names[0] = d->name;
			d->rule.names = names;
		}
		TRY(errno_from_name(r, d->errno_name, &d->rule.errno_ret, e));
		TRY(rule_check(r, &d->rule, e));
		if (TRY(is_included(r, m, &d->includes, e)) && !TRY(is_excluded(r, m, &d->excludes, e)))
			*arena_push(r->arena, &s->rules, &s->n_rules) = d->rule;
		bind_leave(r);
	}
	bind_leave(r);
	return 0;
}

/* The entry of the native architecture brings those that run beside it. */
static int docker_archs(
	struct bind_reader *r, const struct docker_profile *p, struct spec_seccomp *s, struct nook_error *e)
{
	if (p->n_arch_map && s->archs && s->archs[0])
		return bind_refuse(r, e, "has both architectures and archMap");
	for (size_t i = 0; i < p->n_arch_map; i++) {
		const struct docker_arch *map = &p->arch_map[i];

		if (text_is(map->name, seccomp_abi_at(0)->name))
			s->archs = map->subs;
	}
	return 0;
}

int seccomp_profile_read(struct arena *a, struct json *root, uint64_t caps, struct spec_seccomp *s,
	const char *where, struct nook_error *e)
{
	struct bind_reader r = {.arena = a, .step = STEP_SECCOMP};
	const struct machine m = machine_of(caps);
	struct docker_profile p = {0};
	struct spec_seccomp result;

	if (where)
		TRY(bind_enter(&r, where, 0, e));
	TRY(bind_read_table(&r, root, docker_table, &p, e));
	TRY(errno_from_name(&r, p.default_errno_name, &p.common.default_errno, e));
	result = p.common;
	TRY(docker_archs(&r, &p, &result, e));
	TRY(docker_rules(&r, &p, &m, &result, e));
	TRY(profile_check(&r, &result, e));
	*s = result;
	return 0;
}

int seccomp_profile_load(struct arena *a, const char *path, uint64_t caps, struct spec_seccomp *s, struct nook_error *e)
{
	AUTO(json_free) struct json *root = NULL;
	struct nook_error inner = NOOK_ERROR_INIT;
	int r;

	TRY(json_load(AT_FDCWD, path, PROFILE_MAX, STEP_SECCOMP, &root, e));
	r = seccomp_profile_read(a, root, caps, s, NULL, &inner);
	if (r < 0)
		return err_fmt(
			e, STEP_SECCOMP, path, r, "%s%s%s", inner.object, inner.object[0] ? ": " : "", inner.detail);
	return 0;
}
