/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "security/confine.h"

#include "security/landlock.h"
#include "security/seccomp.h"

#include <linux/capability.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

static int drop_caps(uint64_t keep, struct nook_error *e)
{
	struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
	struct __user_cap_data_struct data[2] = {{0}, {0}};

	if (syscall(SYS_capget, &header, data) < 0)
		return err_sys(e, STEP_CAPS, "jail");
	for (int i = 0; i < 2; i++) {
		data[i].permitted &= (uint32_t)(keep >> (32 * i));
		data[i].effective = data[i].permitted;
		data[i].inheritable = 0;
	}
	return syscall(SYS_capset, &header, data) < 0 ? err_sys(e, STEP_CAPS, "jail") : 0;
}

int confine_start(uint64_t keep_caps, struct nook_error *e)
{
	TRY(confine_limit(RLIMIT_CORE, 0, e));
	TRY(drop_caps(keep_caps, e));
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 || prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0)
		return err_sys(e, STEP_SECCOMP, "jail");
	return 0;
}

int confine_limit(int resource, rlim_t most, struct nook_error *e)
{
	struct rlimit l;

	if (getrlimit(resource, &l) < 0)
		return err_sys(e, STEP_RLIMIT, "jail");
	if (l.rlim_max > most)
		l.rlim_max = most;
	if (l.rlim_cur > l.rlim_max)
		l.rlim_cur = l.rlim_max;
	return setrlimit(resource, &l) < 0 ? err_sys(e, STEP_RLIMIT, "jail") : 0;
}

int confine_files(struct nook_error *e)
{
	const struct landlock_kernel k = landlock_probe(NULL);

	if (!k.abi)
		return 0;
	auto_close int rules = TRY(landlock_ruleset(k.fs, k.scopes, e));

	return landlock_enforce(rules, e);
}

static int install(struct seccomp_rule *rules, size_t n, uint32_t otherwise, struct nook_error *e)
{
#ifdef UNDER_SANITIZER
	(void)rules;
	(void)n;
	(void)otherwise;
	(void)e;
	return 0;
#else
	AUTO(arena_free) struct arena *a = arena_new();
	const struct spec_seccomp profile = {
		.source = SECCOMP_PROFILE,
		.default_action = otherwise,
		.default_errno = {EPERM, true},
		.rules = rules,
		.n_rules = n,
	};
	struct sock_filter *code = NULL;
	struct sock_fprog program;
	size_t length = 0;

	TRY(seccomp_compile(a, &profile, 0, &code, &length, e));
	program = (struct sock_fprog){.len = (unsigned short)length, .filter = code};
	if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program) < 0)
		return err_sys(e, STEP_SECCOMP, "jail");
	return 0;
#endif
}

int confine_calls(struct seccomp_rule *rules, size_t n, struct nook_error *e)
{
	return install(rules, n, SECCOMP_RET_ERRNO, e);
}

int confine_without(struct seccomp_rule *rules, size_t n, struct nook_error *e)
{
	return install(rules, n, SECCOMP_RET_ALLOW, e);
}
