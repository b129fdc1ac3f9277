/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Which system calls a box may make. */
#include "box/box.h"

#include "box/learn.h"
#include "security/seccomp.h"
#include "security/seccomp_names.h"

#include <linux/seccomp.h>

/* A filter that refuses the calls named and lets all others through to the next one. */
static void add_denied(const struct nook_box *b, struct arena *a, struct spec_seccomp *s)
{
	const char **names = NULL;
	struct seccomp_rule *rule;
	size_t n = 0;

	if (!b->n_denied)
		return;
	for (size_t i = 0; i < b->n_denied; i++)
		*arena_push(a, &names, &n) = b->denied[i];
	(void)arena_push(a, &names, &n);
	s->source = SECCOMP_PROFILE;
	s->default_action = SECCOMP_RET_ALLOW;
	rule = arena_push(a, &s->rules, &s->n_rules);
	rule->names = names;
	rule->action = SECCOMP_RET_ERRNO;
	rule->errno_ret = (struct opt_u64){EPERM, true};
}

int box_filter(const struct nook_box *b, struct arena *a, struct spec *spec, struct nook_error *e)
{
	struct spec_seccomp *s = &spec->seccomp;

	for (size_t i = 0; i < b->n_denied; i++)
		if (seccomp_call_find(b->denied[i]) < 0)
			return err_why(e, STEP_SECCOMP, b->denied[i], EINVAL, "there is no system call of this name");
	add_denied(b, a, &spec->seccomp_before);
	if (b->learn)
		learn_filter(a, &spec->seccomp_before);
	s->source = b->no_filter ? SECCOMP_NONE : SECCOMP_DEFAULT;
	s->nesting = b->userns;
	if (!b->filter_file)
		return 0;
	*s = (struct spec_seccomp){0};
	return seccomp_profile_load(a, b->filter_file, b->caps, s, e);
}
