/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A profile becomes a filter in three steps: the numbers of the calls that it names (seccomp_default.c, or for an OCI
 * profile seccomp_rules.c); ranges of numbers with equal verdicts, gaps included (seccomp_ranges.c); the program
 * (seccomp_tree.c).
 */
#include "base/text.h"
#include "security/seccomp_default.h"
#include "security/seccomp_rules.h"

#include <linux/seccomp.h>

/* What a filter says about calls that no rule is for. */
struct policy {
	uint32_t otherwise; /* known to the profile's author, not named */
	uint32_t newer;     /* newer than the newest one named */
	uint32_t bad_arch;  /* of an architecture that was not asked for */
};

/* An ABI that was not asked for but shares its numbers' space with one that was: x32 beside x86_64. */
static void refuse_abi(struct arena *a, struct seccomp_ranges *r, uint32_t base, const struct policy *policy)
{
	if (policy->newer != policy->otherwise) {
		seccomp_ranges_from(a, r, base, policy->newer);
		return;
	}
	seccomp_ranges_from(a, r, base, policy->bad_arch);
	/* -1 is no x32 call but what a tracer leaves behind when it cancels one. */
	seccomp_ranges_from(a, r, UINT32_MAX, policy->otherwise);
}

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

static struct policy policy_of(const struct spec_seccomp *s)
{
	struct policy p = {
		.otherwise = SECCOMP_RET_ERRNO | EPERM,
		.newer = SECCOMP_RET_ERRNO | ENOSYS,
		.bad_arch = SECCOMP_RET_ERRNO | ENOSYS,
	};

	if (s->source == SECCOMP_PROFILE) {
		p.otherwise = seccomp_rule_verdict(s->default_action, s->default_errno);
		if (s->default_action != SECCOMP_RET_ERRNO)
			p.newer = p.otherwise;
		p.bad_arch = SECCOMP_RET_KILL_THREAD;
	}
	return p;
}

/* What the profile says about one ABI, and about the numbers above those that it knows. */
static void add_abi(struct arena *a, const struct spec_seccomp *s, uint64_t caps, const struct seccomp_rules *rules,
	size_t abi, const struct policy *policy, struct seccomp_ranges *r)
{
	uint32_t start = r->next;

	r->otherwise = policy->otherwise;
	r->newer = policy->newer;
	if (rules)
		seccomp_rules_ranges(a, rules, abi, r);
	else
		seccomp_default_ranges(a, abi, caps, s->nesting, r);
	seccomp_ranges_from(a, r, r->next, r->next == start ? policy->otherwise : policy->newer);
}

int seccomp_compile(struct arena *a, const struct spec_seccomp *s, uint64_t caps, struct sock_filter **ret,
	size_t *ret_n, struct nook_error *e)
{
	AUTO(arena_free) struct arena *scratch = arena_new();
	const struct policy policy = policy_of(s);
	struct seccomp_ranges ranges[SECCOMP_ABIS] = {0};
	struct seccomp_tree trees[SECCOMP_ABIS] = {0};
	struct seccomp_rules *rules = NULL;
	size_t n_trees = 0;

	if (s->source == SECCOMP_NONE) {
		*ret = NULL;
		*ret_n = 0;
		return 0;
	}
	if (s->source == SECCOMP_FILTER) {
		*ret = arena_memdup(a, s->filter, s->n_filter * sizeof(**ret));
		*ret_n = s->n_filter;
		return 0;
	}
	if (s->source == SECCOMP_PROFILE)
		TRY(seccomp_rules_sort(scratch, s, &rules, e));
	for (size_t i = 0; seccomp_abi_at(i); i++) {
		const struct seccomp_abi *abi = seccomp_abi_at(i);
		bool shares = i > 0 && abi->audit_arch == seccomp_abi_at(0)->audit_arch;
		size_t at = shares ? 0 : n_trees;

		if (!abi_wanted(s, i)) {
			if (shares)
				refuse_abi(scratch, &ranges[0], abi->base, &policy);
			continue;
		}
		if (shares)
			ranges[0].next = abi->base;
		add_abi(scratch, s, caps, rules, i, &policy, &ranges[at]);
		trees[at].audit_arch = abi->audit_arch;
		n_trees += !shares;
	}
	for (size_t i = 0; i < n_trees; i++) {
		trees[i].ranges = ranges[i].items;
		trees[i].n_ranges = ranges[i].n;
	}
	return seccomp_tree_build(a, trees, n_trees, policy.bad_arch, ret, ret_n, e);
}
