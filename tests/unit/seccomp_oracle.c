/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "seccomp_oracle.h"

#include "tests.h"

#include <linux/seccomp.h>
#include <seccomp.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

uint32_t oracle_action(uint32_t action, struct opt_u64 errno_ret)
{
	if (action != SECCOMP_RET_ERRNO && action != SECCOMP_RET_TRACE)
		return action;
	return action | (uint32_t)(errno_ret.set ? errno_ret.value : EPERM);
}

static bool has_alternatives(const struct seccomp_rule *rule)
{
	for (size_t i = 0; i < rule->n_args; i++)
		for (size_t k = 0; k < i; k++)
			if (rule->args[i].index == rule->args[k].index)
				return true;
	return false;
}

static void add(scmp_filter_ctx ctx, uint32_t action, const char *name, const struct seccomp_arg *args, size_t n)
{
	struct scmp_arg_cmp cmp[SECCOMP_ARGS];
	int r;

	for (size_t i = 0; i < n; i++)
		cmp[i] = (struct scmp_arg_cmp){
			args[i].index, (enum scmp_compare)args[i].op, args[i].value, args[i].value_two};
	r = seccomp_rule_add_array(ctx, action, seccomp_syscall_resolve_name(name), (unsigned)n, cmp);
	if (r < 0 && r != -EEXIST)
		fail_msg("libseccomp: %s: %s", name, strerror(-r));
}

static uint32_t arch_token(const char *name)
{
	char word[32] = "";

	for (size_t i = 0; i < sizeof(word) - 1 && name[10 + i]; i++)
		word[i] = (char)(name[10 + i] | (name[10 + i] >= 'A' && name[10 + i] <= 'Z' ? 0x20 : 0));
	return seccomp_arch_resolve_name(word);
}

bool oracle_knows(const char *name)
{
	return seccomp_syscall_resolve_name(name) != __NR_SCMP_ERROR;
}

struct oracle oracle_build(struct arena *a, const struct spec_seccomp *s, uint32_t bad_arch)
{
	uint32_t otherwise = oracle_action(s->default_action, s->default_errno);
	scmp_filter_ctx ctx = seccomp_init(otherwise);
	struct oracle o = {0};
	struct stat st;
	int fd;

	assert_non_null(ctx);
	assert_int_equal(seccomp_attr_set(ctx, SCMP_FLTATR_ACT_BADARCH, bad_arch), 0);
	for (size_t i = 0; s->archs && s->archs[i]; i++) {
		int r = seccomp_arch_add(ctx, arch_token(s->archs[i]));

		assert_true(r == 0 || r == -EEXIST);
	}
	for (size_t i = 0; i < s->n_rules; i++) {
		const struct seccomp_rule *rule = &s->rules[i];
		uint32_t action = oracle_action(rule->action, rule->errno_ret);

		for (const char *const *name = rule->names; action != otherwise && *name; name++) {
			if (!has_alternatives(rule)) {
				add(ctx, action, *name, rule->args, rule->n_args);
				continue;
			}
			for (size_t k = 0; k < rule->n_args; k++)
				add(ctx, action, *name, &rule->args[k], 1);
		}
	}
	fd = memfd_create("oracle", MFD_CLOEXEC);
	assert_true(fd >= 0);
	assert_int_equal(seccomp_export_bpf(ctx, fd), 0);
	seccomp_release(ctx);
	assert_int_equal(fstat(fd, &st), 0);
	o.n = (size_t)st.st_size / sizeof(struct sock_filter);
	o.filter = arena_new_n(a, struct sock_filter, o.n);
	assert_int_equal(pread(fd, o.filter, (size_t)st.st_size, 0), st.st_size);
	(void)close(fd);
	return o;
}
