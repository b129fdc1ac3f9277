/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Security modules: labels for the command, and the Landlock fence. */
#include "launch/walk.h"

#include "security/landlock.h"
#include "security/lsm.h"
#include "sys/procfd.h"

#include <fcntl.h>

int apply_lsm(struct walk *w, const struct step *s, struct nook_error *e)
{
	const char *apparmor = walk_str(w, s->lsm.apparmor), *selinux = walk_str(w, s->lsm.selinux);

	/* A container without /proc, and one that is joined: what lies at /proc there is not ours. */
	auto_close int own = w->proc < 0 ? TRY(procfd_open_private(e)) : -EBADF;
	int proc = own < 0 ? w->proc : own;

	if (apparmor[0])
		TRY(lsm_apparmor_exec(proc, apparmor, e));
	if (selinux[0])
		TRY(lsm_selinux_exec(proc, selinux, e));
	return 0;
}

int apply_landlock(struct walk *w, const struct step *s, struct nook_error *e)
{
	const char *rule = plan_at(w->plan, s->landlock.rules.at);
	auto_close int ruleset = TRY(landlock_ruleset(s->landlock.handled_fs, s->landlock.scoped, e));

	for (uint32_t i = 0; i < s->landlock.rules.n; i++, rule = plan_next(rule)) {
		/* "r/usr" or "w/work": the container's root is "/" by now. */
		auto_close int fd = open(rule + 1, O_PATH | O_CLOEXEC);

		if (fd < 0)
			return err_sys(e, STEP_LANDLOCK, rule + 1);
		TRY(landlock_allow(ruleset, fd, landlock_rights(s->landlock.handled_fs, rule[0] == 'w'), rule + 1, e));
	}
	return landlock_enforce(ruleset, e);
}
