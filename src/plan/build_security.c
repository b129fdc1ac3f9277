/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "plan/compile.h"

#include "base/text.h"
#include "security/landlock.h"
#include "security/lsm.h"

int build_security(struct build *b, struct nook_error *e)
{
	const struct spec_process *p = &b->spec->process;
	const char *apparmor = p->apparmor && !text_is(p->apparmor, "unconfined") ? p->apparmor : NULL;
	const char *files = b->spec->mount_label;
	struct step *s;

	if (!apparmor && !p->selinux && !files)
		return 0;
	TRY(lsm_check(lsm_active(), apparmor, p->selinux ? p->selinux : files, e));
	if (!apparmor && !p->selinux)
		return 0;
	s = build_step(b, b->identity, DO_LSM, apparmor ? apparmor : p->selinux);
	s->lsm.apparmor = plan_add_str(b->out, apparmor);
	s->lsm.selinux = plan_add_str(b->out, p->selinux);
	return 0;
}

int build_landlock(struct build *b, struct nook_error *e)
{
	const struct spec_landlock *l = &b->spec->landlock;
	bool scope = b->spec->process.landlock_scope;
	struct landlock_kernel kernel;
	const char **rules = NULL;
	struct refs refs;
	struct step *s;
	size_t n = 0;

	if (!l->n_rules && !scope)
		return 0;
	kernel = landlock_probe(NULL);
	if (TRY(landlock_check(&kernel, l, scope, e)) == 1) {
		build_note(b, "this kernel has no Landlock: its rules are not enforced");
		return 0;
	}
	for (size_t i = 0; i < l->n_rules; i++)
		*arena_push(b->arena, &rules, &n) = arena_printf(b->arena, "%c%s", l->rules[i].write ? 'w' : 'r', l->rules[i].path);
	(void)arena_push(b->arena, &rules, &n);
	refs = plan_add_strs(b->out, rules);
	s = build_step(b, STAGE_FINAL, DO_LANDLOCK, NULL);
	s->landlock.rules = refs;
	s->landlock.handled_fs = l->n_rules ? kernel.fs : 0;
	s->landlock.scoped = scope ? kernel.scopes : 0;
	return 0;
}
