/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "bundle/tables.h"
#include "security/caps.h"
#include "spec/spec.h"

/* ---- capabilities: names in JSON, a mask in the spec --------------------------------------------------------------- */

static int read_caps(struct bind_reader *r, struct json *value, void *member, struct nook_error *e)
{
	uint64_t mask = 0;

	TRY(bind_expect(r, value, JSON_ARRAY, e));
	for (size_t i = 0; i < json_length(value); i++) {
		struct json *name = json_at(value, i);

		TRY(bind_enter(r, NULL, i, e));
		TRY(bind_expect(r, name, JSON_STRING, e));
		int cap = caps_find(json_string(name));

		if (cap < 0)
			return bind_refuse(r, e, "unknown capability \"%s\"", json_string(name));
		mask |= CAPS_BIT(cap);
		bind_leave(r);
	}
	*(uint64_t *)member = mask;
	return 0;
}

static void write_caps(struct json_out *o, const char *key, const void *member)
{
	uint64_t mask = *(const uint64_t *)member;

	json_out_array(o, key);
	for (unsigned cap = 0; caps_name(cap); cap++)
		if (mask & CAPS_BIT(cap))
			json_out_string(o, NULL, caps_name(cap));
	json_out_array_end(o);
}

static const struct bind_custom caps_custom = {read_caps, write_caps};

#define CAPS_AT(set) .offset = (set) * sizeof(uint64_t), .size = sizeof(uint64_t)

static const struct bind caps_table[] = {
	{CAPS_AT(CAPS_BOUNDING), BIND_CUSTOM, "bounding", .custom = &caps_custom},
	{CAPS_AT(CAPS_EFFECTIVE), BIND_CUSTOM, "effective", .custom = &caps_custom},
	{CAPS_AT(CAPS_INHERITABLE), BIND_CUSTOM, "inheritable", .custom = &caps_custom},
	{CAPS_AT(CAPS_PERMITTED), BIND_CUSTOM, "permitted", .custom = &caps_custom},
	{CAPS_AT(CAPS_AMBIENT), BIND_CUSTOM, "ambient", .custom = &caps_custom},
	{0},
};

/* ---- io priority: class and level in one number, as ioprio_set(2) takes it ------------------------------------------ */

enum { IOPRIO_SHIFT = 13, IOPRIO_LEVELS = 8 };

struct ioprio {
	uint32_t class;
	int64_t level;
};

static const struct bind ioprio_table[] = {
	{AT(struct ioprio, class), BIND_WORD, "class", .words = ioprio_words, .flags = BIND_REQUIRED},
	{AT(struct ioprio, level), BIND_INT, "priority", .flags = BIND_ALWAYS},
	{0},
};

static int read_ioprio(struct bind_reader *r, struct json *value, void *member, struct nook_error *e)
{
	struct ioprio p = {0};

	TRY(bind_read_table(r, value, ioprio_table, &p, e));
	if (p.level < 0 || p.level >= IOPRIO_LEVELS) {
		TRY(bind_enter(r, "priority", 0, e));
		return bind_refuse(r, e, "%lld is not between 0 and %d", (long long)p.level, IOPRIO_LEVELS - 1);
	}
	*(struct opt_u64 *)member = (struct opt_u64){(uint64_t)p.class << IOPRIO_SHIFT | (uint64_t)p.level, true};
	return 0;
}

static void write_ioprio(struct json_out *o, const char *key, const void *member)
{
	const struct opt_u64 *number = member;
	struct ioprio p = {
		.class = (uint32_t)(number->value >> IOPRIO_SHIFT),
		.level = (int64_t)(number->value & ((1U << IOPRIO_SHIFT) - 1)),
	};

	if (!number->set)
		return;
	json_out_object(o, key);
	bind_write_table(o, ioprio_table, &p);
	json_out_object_end(o);
}

static const struct bind_custom ioprio_custom = {read_ioprio, write_ioprio};

/* ---- the rest is rows ---------------------------------------------------------------------------------------------- */

static const struct bind console_table[] = {
	{AT(struct spec_process, rows), BIND_UINT, "height"},
	{AT(struct spec_process, columns), BIND_UINT, "width"},
	{0},
};

static const struct bind user_table[] = {
	{AT(struct spec_user, uid), BIND_UINT, "uid", .flags = BIND_ALWAYS},
	{AT(struct spec_user, gid), BIND_UINT, "gid", .flags = BIND_ALWAYS},
	{HAS(struct spec_user, umask, has_umask), BIND_UINT, "umask"},
	{LIST(struct spec_user, groups, n_groups), BIND_UINTS, "additionalGids"},
	{0},
};

static const struct bind rlimit_table[] = {
	{AT(struct spec_rlimit, resource), BIND_WORD, "type", .words = rlimit_words, .flags = BIND_REQUIRED},
	{AT(struct spec_rlimit, hard), BIND_UINT, "hard", .flags = BIND_ALWAYS},
	{AT(struct spec_rlimit, soft), BIND_UINT, "soft", .flags = BIND_ALWAYS},
	{0},
};

static const struct bind scheduler_table[] = {
	{AT(struct spec_scheduler, policy), BIND_WORD, "policy", .words = scheduler_words, .flags = BIND_REQUIRED},
	{AT(struct spec_scheduler, nice), BIND_INT, "nice"},
	{AT(struct spec_scheduler, priority), BIND_UINT, "priority"},
	{AT(struct spec_scheduler, flags), BIND_WORDS, "flags", .words = scheduler_flag_words},
	{AT(struct spec_scheduler, runtime), BIND_UINT, "runtime"},
	{AT(struct spec_scheduler, deadline), BIND_UINT, "deadline"},
	{AT(struct spec_scheduler, period), BIND_UINT, "period"},
	{0},
};

static const struct bind affinity_table[] = {
	{AT(struct spec_process, cpu_affinity_initial), BIND_STRING, "initial"},
	{AT(struct spec_process, cpu_affinity_final), BIND_STRING, "final"},
	{0},
};

const struct bind process_table[] = {
	{AT(struct spec_process, terminal), BIND_BOOL, "terminal"},
	{.type = BIND_STRUCT, .name = "consoleSize", .table = console_table},
	{AT(struct spec_process, user), BIND_STRUCT, "user", .table = user_table},
	{AT(struct spec_process, argv), BIND_STRINGS, "args"},
	{AT(struct spec_process, env), BIND_STRINGS, "env"},
	{AT(struct spec_process, cwd), BIND_STRING, "cwd", .flags = BIND_REQUIRED},
	{HAS(struct spec_process, caps, has_caps), BIND_STRUCT, "capabilities", .table = caps_table},
	{LIST(struct spec_process, rlimits, n_rlimits), BIND_ARRAY, "rlimits", .table = rlimit_table},
	{AT(struct spec_process, no_new_privs), BIND_BOOL, "noNewPrivileges"},
	{AT(struct spec_process, apparmor), BIND_STRING, "apparmorProfile"},
	{AT(struct spec_process, oom_score_adj), BIND_OPT_INT, "oomScoreAdj"},
	{HAS(struct spec_process, scheduler, scheduler.set), BIND_STRUCT, "scheduler", .table = scheduler_table},
	{AT(struct spec_process, selinux), BIND_STRING, "selinuxLabel"},
	{AT(struct spec_process, ioprio), BIND_CUSTOM, "ioPriority", .custom = &ioprio_custom},
	{.type = BIND_STRUCT, .name = "execCPUAffinity", .table = affinity_table},
	{0},
};
