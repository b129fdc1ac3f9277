/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "box/limits.h"

#include "base/text.h"
#include "box/box.h"
#include "box/rule.h"

#include <string.h>
#include <sys/resource.h>

/* ---- rules ---------------------------------------------------------------------------------------------------------- */

enum { FILES_MAX = 1 << 30 };

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

static const char *const unit_words[] = {
	[UNIT_BYTES] = "a size such as 512m",
	[UNIT_COUNT] = "a number",
	[UNIT_CPUS] = "a number of processors such as 1.5",
	[UNIT_TIME] = "a time such as 10s",
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
		return rule_refuse(word, "a limit is NAME=VALUE", e);
	*equals = 0;
	i = limit_find(word);
	if (i < 0)
		return rule_refuse(word, "limits are mem, pids, cpu, time, wall, files, fsize, stack and output", e);
	if (limit_value(equals + 1, limit_rows[i].unit, &value) < 0)
		return err_fmt(e, STEP_OPTION, word, EINVAL, "\"%s\" is not %s", equals + 1, unit_words[limit_rows[i].unit]);
	if (box_limit_set(b, word, value) < 0)
		return err_fmt(e, STEP_OPTION, word, ERANGE, "\"%s\" is out of range", equals + 1);
	return 0;
}

int box_add_limit(struct nook_box *b, const char *value, struct nook_error *e)
{
	return rule_each_word(b, value, limit_one, e);
}

/* ---- the spec --------------------------------------------------------------------------------------------------------- */

enum { CPU_PERIOD_US = 100000, REAPER = 1 }; /* pid 1 counts as a process too */

static void rlimit_set(struct arena *a, struct spec_process *p, int resource, const struct opt_u64 *value)
{
	if (!value->set)
		return;
	for (size_t i = 0; i < p->n_rlimits; i++) {
		if (p->rlimits[i].resource == resource) {
			p->rlimits[i] = (struct spec_rlimit){resource, value->value, value->value, false};
			return;
		}
	}
	*arena_push(a, &p->rlimits, &p->n_rlimits) = (struct spec_rlimit){resource, value->value, value->value, false};
}

static void grow_rlimits(struct arena *a, struct spec_process *p)
{
	struct spec_rlimit *list = NULL;
	size_t n = 0;

	/* The defaults are one piece of memory, arena_push() wants its own. */
	for (size_t i = 0; i < p->n_rlimits; i++)
		*arena_push(a, &list, &n) = p->rlimits[i];
	p->rlimits = list;
	p->n_rlimits = n;
}

void box_limits_spec(const struct nook_box *b, struct arena *a, struct spec *s)
{
	const struct box_limits *l = &b->limits;
	struct spec_process *p = &s->process;
	struct spec_resources *r = &s->resources;
	/* One process may not use more than all; the kernel counts in whole seconds. */
	struct opt_u64 seconds = {l->time_us.value / 1000000 + 1, l->time_us.set};

	grow_rlimits(a, p);
	rlimit_set(a, p, RLIMIT_NOFILE, &l->files);
	rlimit_set(a, p, RLIMIT_FSIZE, &l->fsize);
	rlimit_set(a, p, RLIMIT_STACK, &l->stack);
	rlimit_set(a, p, RLIMIT_CPU, &seconds);
	r->pids_limit = (struct opt_i64){(int64_t)l->pids.value + REAPER, l->pids.set};
	if (l->mem.set)
		r->memory_limit = r->memory_swap = (struct opt_i64){(int64_t)l->mem.value, true};
	if (l->cpu.set) {
		r->cpu_period = (struct opt_u64){CPU_PERIOD_US, true};
		r->cpu_quota = (struct opt_i64){(int64_t)(l->cpu.value * CPU_PERIOD_US / 1000000), true};
	}
}
