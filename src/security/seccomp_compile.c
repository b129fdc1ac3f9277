/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A profile becomes a filter in three steps: the calls that it speaks of, by number (seccomp_default.c, or here from
 * the names of an OCI profile); ranges of numbers with equal verdicts, gaps included; the program (seccomp_tree.c).
 *
 * Several rules for one call are read as libseccomp reads them: the first rule without conditions decides alone; else
 * the first whose conditions all hold; else the default action.
 */
#include "security/seccomp_default.h"
#include "security/seccomp_names.h"
#include "security/seccomp_tree.h"

#include "base/text.h"

#include <linux/seccomp.h>

/* What a filter says about calls that no rule is for. */
struct policy {
	uint32_t otherwise; /* known to the profile's author, not named */
	uint32_t newer;     /* newer than the newest one named */
	uint32_t bad_arch;  /* of an architecture that was not asked for */
};

/* The calls of one ABI, ascending, and the newest number that the profile names. */
struct calls {
	struct seccomp_range *items;
	size_t n;
	uint32_t newest;
	bool any;
};

struct ranges {
	struct seccomp_range *items;
	size_t n;
};

/* ---- the rules of an OCI profile --------------------------------------------------------------------------------- */

/* One rule applied to one call; sorted by number, then in the profile's order. */
struct item {
	uint32_t nr;
	uint32_t rule;
	uint32_t multiplexed; /* nr is socketcall or ipc: the first argument that means the rule's call; otherwise 0 */
};

struct items {
	struct item *items;
	size_t n;
};

static int by_number(const void *a, const void *b)
{
	const struct item *x = a, *y = b;

	if (x->nr != y->nr)
		return x->nr < y->nr ? -1 : 1;
	return x->rule < y->rule ? -1 : x->rule > y->rule;
}

static uint32_t verdict_of(uint32_t action, struct opt_u64 errno_ret)
{
	if (action != SECCOMP_RET_ERRNO && action != SECCOMP_RET_TRACE)
		return action;
	return action | (uint32_t)((errno_ret.set ? errno_ret.value : EPERM) & SECCOMP_RET_DATA);
}

static int rule_check(const struct seccomp_rule *rule, struct nook_error *e)
{
	const char *name = rule->names && rule->names[0] ? rule->names[0] : "";

	if (rule->n_args > SECCOMP_ARGS)
		return err_fmt(e, STEP_SECCOMP, name, EINVAL, "has %zu conditions; a call has %d arguments", rule->n_args,
		               SECCOMP_ARGS);
	for (size_t i = 0; i < rule->n_args; i++) {
		if (rule->args[i].index >= SECCOMP_ARGS)
			return err_fmt(e, STEP_SECCOMP, name, EINVAL, "no argument %u: a call has %d", rule->args[i].index,
			               SECCOMP_ARGS);
		if (rule->args[i].op < SECCOMP_OP_NE || rule->args[i].op > SECCOMP_OP_MASKED_EQ)
			return err_fmt(e, STEP_SECCOMP, name, EINVAL, "no comparison %u", rule->args[i].op);
	}
	return 0;
}

/* OCI: conditions on different arguments must all hold, but two on one argument are alternatives. */
static bool has_alternatives(const struct seccomp_rule *rule)
{
	unsigned seen = 0;

	for (size_t i = 0; i < rule->n_args; i++) {
		if (seen & (1U << rule->args[i].index))
			return true;
		seen |= 1U << rule->args[i].index;
	}
	return false;
}

/* Behind socketcall and ipc the first argument is the call; the others are not what the rule thinks, but libseccomp
 * compares them all the same. */
static const struct seccomp_arg *multiplexed_args(struct arena *a, const struct seccomp_arg *args, size_t *n,
                                                  uint32_t number)
{
	struct seccomp_arg *list = arena_new_n(a, struct seccomp_arg, *n + 1);
	size_t kept = 1;

	list[0] = (struct seccomp_arg){.index = 0, .op = SECCOMP_OP_EQ, .value = number};
	for (size_t i = 0; i < *n; i++)
		if (args[i].index != 0)
			list[kept++] = args[i];
	*n = kept;
	return list;
}

static void add_checks(struct arena *a, struct seccomp_range *call, const struct seccomp_rule *rule, uint32_t multiplexed)
{
	struct seccomp_check *checks = (struct seccomp_check *)call->checks; /* ours until the range is finished */
	bool alternatives = has_alternatives(rule);

	for (size_t i = 0; i < (alternatives ? rule->n_args : 1); i++) {
		struct seccomp_check *check = arena_push(a, &checks, &call->n_checks);

		check->args = rule->args + i;
		check->n_args = alternatives ? 1 : rule->n_args;
		check->verdict = verdict_of(rule->action, rule->errno_ret);
		if (multiplexed)
			check->args = multiplexed_args(a, check->args, &check->n_args, multiplexed);
	}
	call->checks = checks;
}

static void apply(struct arena *a, struct seccomp_range *call, const struct seccomp_rule *rule, const struct item *item,
                  uint32_t otherwise)
{
	if (call->verdict != otherwise) /* a rule without conditions came first */
		return;
	if (rule->n_args || item->multiplexed) {
		add_checks(a, call, rule, item->multiplexed);
		return;
	}
	call->verdict = verdict_of(rule->action, rule->errno_ret);
	call->checks = NULL;
	call->n_checks = 0;
}

static void rules_apply(struct arena *a, const struct spec_seccomp *s, const struct items *items, uint32_t otherwise,
                        bool narrow, struct calls *calls)
{
	calls->items = arena_new_n(a, struct seccomp_range, items->n);
	for (size_t i = 0; i < items->n; i++) {
		const struct item *item = &items->items[i];
		const struct seccomp_rule *rule = &s->rules[item->rule];

		calls->newest = item->nr;
		calls->any = true;
		/* What the default says anyway; libseccomp refuses such a rule, and runtimes leave it out. */
		if (verdict_of(rule->action, rule->errno_ret) == otherwise)
			continue;
		if (!calls->n || calls->items[calls->n - 1].first != item->nr)
			calls->items[calls->n++] =
				(struct seccomp_range){.first = item->nr, .verdict = otherwise, .narrow = narrow};
		apply(a, &calls->items[calls->n - 1], rule, item, otherwise);
	}
}

static void add_items(struct arena *a, struct items by_abi[SECCOMP_ABIS], const int32_t *nrs, size_t rule,
                      uint32_t multiplexed)
{
	for (size_t abi = 0; nrs && abi < SECCOMP_ABIS; abi++)
		if (nrs[abi] >= 0)
			*arena_push(a, &by_abi[abi].items, &by_abi[abi].n) =
				(struct item){(uint32_t)nrs[abi], (uint32_t)rule, multiplexed};
}

static int profile_items(struct arena *a, const struct spec_seccomp *s, struct items by_abi[SECCOMP_ABIS],
                         struct nook_error *e)
{
	for (size_t r = 0; r < s->n_rules; r++) {
		TRY(rule_check(&s->rules[r], e));
		for (const char *const *name = s->rules[r].names; name && *name; name++) {
			const int32_t *nrs = NULL;
			uint32_t multiplexed = seccomp_multiplexed_find(*name, &nrs);

			add_items(a, by_abi, multiplexed ? nrs : NULL, r, multiplexed);
			add_items(a, by_abi, seccomp_numbers_find(*name), r, 0);
		}
	}
	for (size_t abi = 0; abi < SECCOMP_ABIS; abi++)
		if (by_abi[abi].n)
			qsort(by_abi[abi].items, by_abi[abi].n, sizeof(struct item), by_number);
	return 0;
}

/* ---- ranges ------------------------------------------------------------------------------------------------------ */

static void range_add(struct arena *a, struct ranges *ranges, const struct seccomp_range *range)
{
	const struct seccomp_range *last = ranges->n ? &ranges->items[ranges->n - 1] : NULL;

	if (last && last->verdict == range->verdict && !last->n_checks && !range->n_checks)
		return;
	*arena_push(a, &ranges->items, &ranges->n) = *range;
}

static void range_gap(struct arena *a, struct ranges *ranges, uint32_t first, uint32_t verdict)
{
	range_add(a, ranges, &(struct seccomp_range){.first = first, .verdict = verdict});
}

/* The calls of an ABI, whose numbers start at BASE, with what lies between and above them. */
static void ranges_fill(struct arena *a, struct ranges *ranges, uint32_t base, const struct calls *calls,
                        const struct policy *policy)
{
	uint32_t next = base, end = calls->any ? calls->newest + 1 : base;

	for (size_t i = 0; i < calls->n; i++) {
		if (calls->items[i].first > next)
			range_gap(a, ranges, next, policy->otherwise);
		range_add(a, ranges, &calls->items[i]);
		next = calls->items[i].first + 1;
	}
	if (next < end)
		range_gap(a, ranges, next, policy->otherwise);
	range_gap(a, ranges, end, calls->any ? policy->newer : policy->otherwise);
}

/* An ABI that was not asked for but shares its numbers' space with one that was: x32 beside x86_64. */
static void ranges_refuse(struct arena *a, struct ranges *ranges, uint32_t base, const struct policy *policy)
{
	if (policy->newer != policy->otherwise) {
		range_gap(a, ranges, base, policy->newer);
		return;
	}
	range_gap(a, ranges, base, policy->bad_arch);
	/* -1 is no x32 call but what a tracer leaves behind when it cancels one. */
	range_gap(a, ranges, UINT32_MAX, policy->otherwise);
}

/* ---- the whole --------------------------------------------------------------------------------------------------- */

static bool abi_wanted(const struct spec_seccomp *s, size_t abi)
{
	const char *name = seccomp_abi_at(abi)->name;

	if (abi == 0 || (s->source == SECCOMP_DEFAULT && s->foreign_archs))
		return true;
	for (const char *const *arch = s->archs; s->source == SECCOMP_PROFILE && arch && *arch; arch++)
		if (text_is(*arch, name))
			return true;
	return false;
}

static void default_calls(struct arena *a, const struct spec_seccomp *s, uint64_t caps, struct calls calls[SECCOMP_ABIS])
{
	for (size_t abi = 0; seccomp_abi_at(abi); abi++) {
		struct calls *c = &calls[abi];

		if (!abi_wanted(s, abi))
			continue;
		c->items = seccomp_default_calls(a, abi, caps, s->nesting, &c->n);
		c->any = c->n > 0;
		c->newest = c->n ? c->items[c->n - 1].first : 0;
	}
}

static int profile_calls(struct arena *a, const struct spec_seccomp *s, uint32_t otherwise,
                         struct calls calls[SECCOMP_ABIS], struct nook_error *e)
{
	struct items items[SECCOMP_ABIS] = {0};

	TRY(profile_items(a, s, items, e));
	for (size_t abi = 0; seccomp_abi_at(abi); abi++)
		if (abi_wanted(s, abi))
			rules_apply(a, s, &items[abi], otherwise, seccomp_abi_at(abi)->narrow, &calls[abi]);
	return 0;
}

static struct policy policy_of(const struct spec_seccomp *s)
{
	struct policy p = {
		.otherwise = SECCOMP_RET_ERRNO | EPERM,
		.newer = SECCOMP_RET_ERRNO | ENOSYS,
		.bad_arch = SECCOMP_RET_ERRNO | ENOSYS,
	};

	if (s->source == SECCOMP_PROFILE) {
		p.otherwise = verdict_of(s->default_action, s->default_errno);
		if (s->default_action != SECCOMP_RET_ERRNO)
			p.newer = p.otherwise;
		p.bad_arch = SECCOMP_RET_KILL_THREAD;
	}
	return p;
}

int seccomp_compile(struct arena *a, const struct spec_seccomp *s, uint64_t caps, struct sock_filter **ret, size_t *ret_n,
                    struct nook_error *e)
{
	AUTO(arena_free) struct arena *scratch = arena_new();
	struct policy policy = policy_of(s);
	struct calls calls[SECCOMP_ABIS] = {0};
	struct ranges ranges[SECCOMP_ABIS] = {0};
	struct seccomp_tree trees[SECCOMP_ABIS] = {0};
	size_t n_trees = 0;

	if (s->source == SECCOMP_NONE) {
		*ret = NULL;
		*ret_n = 0;
		return 0;
	}
	if (s->source == SECCOMP_DEFAULT)
		default_calls(scratch, s, caps, calls);
	else
		TRY(profile_calls(scratch, s, policy.otherwise, calls, e));
	for (size_t i = 0; seccomp_abi_at(i); i++) {
		const struct seccomp_abi *abi = seccomp_abi_at(i);
		bool shares = i > 0 && abi->audit_arch == seccomp_abi_at(0)->audit_arch;
		size_t at = shares ? 0 : n_trees;

		if (!abi_wanted(s, i)) {
			if (shares)
				ranges_refuse(scratch, &ranges[0], abi->base, &policy);
			continue;
		}
		ranges_fill(scratch, &ranges[at], shares ? abi->base : 0, &calls[i], &policy);
		trees[at].audit_arch = abi->audit_arch;
		n_trees += !shares;
	}
	for (size_t i = 0; i < n_trees; i++) {
		trees[i].ranges = ranges[i].items;
		trees[i].n_ranges = ranges[i].n;
	}
	return seccomp_tree_build(a, trees, n_trees, policy.bad_arch, ret, ret_n, e);
}
