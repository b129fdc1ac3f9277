/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/buf.h"
#include "cli/doctor.h"
#include "security/caps.h"
#include "security/landlock.h"
#include "security/lsm.h"
#include "sys/keyring.h"

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#define GROUP "security"

static int try_seccomp(const void *arg)
{
	struct sock_filter allow = BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
	const struct sock_fprog program = {.len = 1, .filter = &allow};

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ||
	    syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_LOG, &program) < 0)
		return -errno;
	return 0;
}

static int try_landlock(const void *arg)
{
	const struct landlock_kernel k = landlock_probe(NULL);
	auto_close int ruleset = TRY(landlock_ruleset(k.fs, k.scopes, NULL));

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return -errno;
	return landlock_enforce(ruleset, NULL);
}

static int try_keyring(const void *arg)
{
	return keyring_join(NULL, NULL);
}

static void check_landlock(struct doctor *d)
{
	const char *why_not = NULL;
	const struct landlock_kernel k = landlock_probe(&why_not);

	if (!k.abi)
		doctor_add(d, GROUP, "landlock", FINDING_LIMITED, why_not, "Landlock needs Linux 5.13, and lsm=landlock,... on the kernel's command line");
	else
		doctor_add_trial(d, GROUP, "landlock", doctor_try(try_landlock, NULL), STEP_LANDLOCK, FINDING_LIMITED,
		                 arena_printf(d->arena, "ABI %d", k.abi), NULL);
}

static void check_lsm(struct doctor *d)
{
	AUTO_VALUE(buf_done) struct buf names = {0};
	unsigned active = lsm_active();

	for (unsigned i = 0; i < LSM_COUNT; i++)
		if (active & (1U << i))
			buf_addf(&names, "%s%s", names.len ? " " : "", lsm_names[i]);
	doctor_add(d, GROUP, "security modules", FINDING_OK, arena_strdup(d->arena, names.len ? buf_text(&names) : "none"), NULL);
}

/* Root in a container has less than all; what nook then leaves out is said once, here. */
static void check_caps(struct doctor *d)
{
	AUTO_VALUE(buf_done) struct buf names = {0};
	struct caps_own own = {0};

	if (!d->is_root || caps_own_load(&own, NULL) < 0)
		return;
	for (unsigned cap = 0; CAPS_ALL >> cap; cap++)
		if (!(own.permitted & CAPS_BIT(cap)))
			buf_addf(&names, "%s%s", names.len ? " " : "", caps_name(cap));
	if (!names.len)
		doctor_add(d, GROUP, "capabilities", FINDING_OK, "all", NULL);
	else
		doctor_add(d, GROUP, "capabilities", FINDING_LIMITED, arena_printf(d->arena, "root lacks %s", buf_text(&names)),
		           "start the container or service around this one with them");
}

void doctor_security(struct doctor *d)
{
	doctor_add_trial(d, GROUP, "seccomp", doctor_try(try_seccomp, NULL), STEP_SECCOMP, FINDING_MISSING, "filters can be loaded",
	                 "use a kernel with CONFIG_SECCOMP_FILTER");
	check_landlock(d);
	check_lsm(d);
	doctor_add_trial(d, GROUP, "session keyrings", doctor_try(try_keyring, NULL), STEP_KEYRING, FINDING_LIMITED, "can be made", NULL);
	check_caps(d);
}
