/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Several rules for one call are read as libseccomp reads them: the first rule without conditions decides alone; else
 * the first whose conditions all hold; else the default action.
 */
#include "security/seccomp_rules.h"

#include <linux/seccomp.h>

/* One rule that names a call. */
struct mention {
	const struct seccomp_rule *rule;
	uint32_t multiplexed; /* the call is socketcall or ipc: the first argument that means the one named; otherwise 0
			       */
	struct mention *next;
};

/* The rules that name a call, in the profile's order. */
struct mentions {
	struct mention *first, *last;
};

struct seccomp_rules {
	int socketcall, ipc; /* indexes of the two */
	struct mentions by_call[];
};

uint32_t seccomp_rule_verdict(uint32_t action, struct opt_u64 errno_ret)
{
	if (action != SECCOMP_RET_ERRNO && action != SECCOMP_RET_TRACE)
		return action;
	return action | (uint32_t)((errno_ret.set ? errno_ret.value : EPERM) & SECCOMP_RET_DATA);
}

static int rule_check(const struct seccomp_rule *rule, struct nook_error *e)
{
	const char *name = rule->names && rule->names[0] ? rule->names[0] : "";

	if (rule->n_args > SECCOMP_ARGS)
		return err_fmt(e, STEP_SECCOMP, name, EINVAL, "has %zu conditions; a call has %d arguments",
			rule->n_args, SECCOMP_ARGS);
	for (size_t i = 0; i < rule->n_args; i++) {
		if (rule->args[i].index >= SECCOMP_ARGS)
			return err_fmt(e, STEP_SECCOMP, name, EINVAL, "no argument %u: a call has %d",
				rule->args[i].index, SECCOMP_ARGS);
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
static const struct seccomp_arg *multiplexed_args(
	struct arena *a, const struct seccomp_arg *args, size_t *n, uint32_t number)
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

static void add_checks(struct arena *a, struct seccomp_range *call, const struct mention *m)
{
	struct seccomp_check *checks = (struct seccomp_check *)call->checks; /* ours until the range is finished */
	bool alternatives = has_alternatives(m->rule);

	for (size_t i = 0; i < (alternatives ? m->rule->n_args : 1); i++) {
		struct seccomp_check *check = arena_push(a, &checks, &call->n_checks);

		check->args = alternatives ? &m->rule->args[i] : m->rule->args;
		check->n_args = alternatives ? 1 : m->rule->n_args;
		check->verdict = seccomp_rule_verdict(m->rule->action, m->rule->errno_ret);
		if (m->multiplexed)
			check->args = multiplexed_args(a, check->args, &check->n_args, m->multiplexed);
	}
	call->checks = checks;
}

static void mention(
	struct arena *a, struct seccomp_rules *rules, int call, const struct seccomp_rule *rule, uint32_t multiplexed)
{
	struct mention *m;

	if (call < 0)
		return;
	m = arena_new_of(a, struct mention);
	*m = (struct mention){rule, multiplexed, NULL};
	if (rules->by_call[call].last)
		rules->by_call[call].last->next = m;
	else
		rules->by_call[call].first = m;
	rules->by_call[call].last = m;
}

int seccomp_rules_sort(struct arena *a, const struct spec_seccomp *s, struct seccomp_rules **ret, struct nook_error *e)
{
	struct seccomp_rules *rules = arena_alloc(a, sizeof(*rules) + seccomp_calls_known * sizeof(struct mentions));

	rules->socketcall = seccomp_call_find("socketcall");
	rules->ipc = seccomp_call_find("ipc");
	for (size_t i = 0; i < s->n_rules; i++) {
		const struct seccomp_rule *rule = &s->rules[i];

		TRY(rule_check(rule, e));
		for (const char *const *name = rule->names; name && *name; name++) {
			int call = seccomp_call_find(*name);

			if (call < 0 && s->only_known)
				return err_why(e, STEP_CONFIG, "linux.seccomp", EINVAL, arena_printf(a, "no system call here is named \"%s\"", *name));
			if (call < 0)
				continue;
			mention(a, rules, call, rule, 0);
			if (seccomp_call_at(call)->socketcall)
				mention(a, rules, rules->socketcall, rule, seccomp_call_at(call)->socketcall);
			if (seccomp_call_at(call)->ipc)
				mention(a, rules, rules->ipc, rule, seccomp_call_at(call)->ipc);
		}
	}
	*ret = rules;
	return 0;
}

void seccomp_rules_ranges(struct arena *a, const struct seccomp_rules *rules, size_t abi, struct seccomp_ranges *r)
{
	int index;

	for (size_t i = 0; (index = seccomp_call_by_number(abi, i)) >= 0; i++) {
		const struct mention *m = rules->by_call[index].first;
		struct seccomp_range call = {.verdict = r->otherwise, .narrow = seccomp_abi_at(abi)->narrow};

		if (!m)
			continue;
		call.first = (uint32_t)seccomp_call_at(index)->nrs[abi];
		for (; m && call.verdict == r->otherwise; m = m->next) {
			uint32_t verdict = seccomp_rule_verdict(m->rule->action, m->rule->errno_ret);

			/* What the default says anyway: libseccomp refuses such a rule, and runtimes leave it out. */
			if (verdict == r->otherwise)
				continue;
			if (m->rule->n_args || m->multiplexed) {
				add_checks(a, &call, m);
				continue;
			}
			call.verdict = verdict;
			call.n_checks = 0;
		}
		seccomp_ranges_add(a, r, &call);
	}
}
