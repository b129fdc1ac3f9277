/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/fd.h"
#include "security/caps.h"
#include "security/seccomp_names.h"
#include "security/seccomp_profile.h"
#include "tests.h"

#include <linux/seccomp.h>
#include <stdio.h>

/* Reads TEXT and compares the message of the failure. */
static void expect_refused(const char *text, const char *message)
{
	AUTO(arena_free) struct arena *a = arena_new();
	AUTO(json_free) struct json *root = NULL;
	struct nook_error e = NOOK_ERROR_INIT;
	struct spec_seccomp s = {0};
	char said[1024];

	assert_int_equal(json_parse(text, strlen(text), "test", STEP_SECCOMP, &root, NULL), 0);
	assert_int_equal(seccomp_profile_read(a, root, 0, &s, "linux.seccomp", &e), -EINVAL);
	(void)nook_error_text(&e, said, sizeof(said));
	assert_string_equal(said, message);
	assert_int_equal(s.source, SECCOMP_NONE);
}

static struct spec_seccomp read_ok(struct arena *a, const char *text, uint64_t caps)
{
	AUTO(json_free) struct json *root = NULL;
	struct nook_error e = NOOK_ERROR_INIT;
	struct spec_seccomp s = {0};

	assert_int_equal(json_parse(text, strlen(text), "test", STEP_SECCOMP, &root, NULL), 0);
	if (seccomp_profile_read(a, root, caps, &s, NULL, &e) < 0)
		fail_msg("%s: %s", e.object, e.detail);
	assert_int_equal(s.source, SECCOMP_PROFILE);
	return s;
}

static void test_every_member_of_the_oci_form(void **state)
{
	static const char text[] =
		"{\"defaultAction\":\"SCMP_ACT_ERRNO\",\"defaultErrnoRet\":38,\"architectures\":[\"SCMP_ARCH_X86\"],"
		"\"flags\":[\"SECCOMP_FILTER_FLAG_LOG\",\"SECCOMP_FILTER_FLAG_SPEC_ALLOW\"],"
		"\"listenerPath\":\"/run/agent\",\"listenerMetadata\":\"m\","
		"\"syscalls\":[{\"names\":[\"read\",\"write\"],\"action\":\"SCMP_ACT_ALLOW\"},"
		"{\"names\":[\"socket\"],\"action\":\"SCMP_ACT_KILL_PROCESS\","
		"\"args\":[{\"index\":2,\"value\":18446744073709551615,\"valueTwo\":7,\"op\":\"SCMP_CMP_MASKED_EQ\"}]}]"
		"}";
	AUTO(arena_free) struct arena *a = arena_new();
	AUTO_VALUE(buf_done) struct buf out = {0};
	struct spec_seccomp s = read_ok(a, text, 0);

	(void)state;
	assert_int_equal(s.default_action, SECCOMP_RET_ERRNO);
	assert_int_equal(s.default_errno.value, 38);
	assert_string_equal(s.archs[0], "SCMP_ARCH_X86");
	assert_true(s.has_flags);
	assert_int_equal(s.flags, SECCOMP_FILTER_FLAG_LOG | SECCOMP_FILTER_FLAG_SPEC_ALLOW);
	assert_string_equal(s.listener_path, "/run/agent");
	assert_int_equal(s.n_rules, 2);
	assert_string_equal(s.rules[0].names[1], "write");
	assert_int_equal(s.rules[1].action, SECCOMP_RET_KILL_PROCESS);
	assert_int_equal(s.rules[1].args[0].index, 2);
	assert_true(s.rules[1].args[0].value == UINT64_MAX);
	assert_int_equal(s.rules[1].args[0].op, SECCOMP_OP_MASKED_EQ);
	seccomp_profile_text(&s, JSON_PLAIN, &out);
	assert_string_equal(buf_text(&out), text);
}

static void test_empty_flags_are_not_absent_flags(void **state)
{
	AUTO(arena_free) struct arena *a = arena_new();
	struct spec_seccomp s = read_ok(a, "{\"defaultAction\":\"SCMP_ACT_ALLOW\",\"flags\":[]}", 0);

	(void)state;
	assert_true(s.has_flags);
	s = read_ok(a, "{\"defaultAction\":\"SCMP_ACT_ALLOW\",\"flags\":null}", 0);
	assert_false(s.has_flags);
}

static void test_errors_name_the_member(void **state)
{
	(void)state;
	expect_refused("{}", "seccomp \"linux.seccomp.defaultAction\": missing");
	expect_refused(
		"{\"defaultAction\":\"ALLOW\"}", "seccomp \"linux.seccomp.defaultAction\": \"ALLOW\" is unknown here");
	expect_refused("{\"defaultAction\":\"SCMP_ACT_NOTIFY\"}",
		"seccomp \"linux.seccomp.defaultAction\": SCMP_ACT_NOTIFY cannot be the default");
	expect_refused("{\"defaultAction\":\"SCMP_ACT_ALLOW\",\"defaultErrnoRet\":1}",
		"seccomp \"linux.seccomp.defaultErrnoRet\": means nothing with SCMP_ACT_ALLOW");
	expect_refused("{\"defaultAction\":\"SCMP_ACT_ALLOW\",\"architectures\":[\"SCMP_ARCH_X86\",\"x86\"]}",
		"seccomp \"linux.seccomp.architectures[1]\": \"x86\" is unknown here");
	expect_refused("{\"defaultAction\":\"SCMP_ACT_ALLOW\",\"flags\":[\"FAST\"]}",
		"seccomp \"linux.seccomp.flags[0]\": \"FAST\" is unknown here");
	expect_refused("{\"defaultAction\":\"SCMP_ACT_ALLOW\",\"syscalls\":[{\"action\":\"SCMP_ACT_ALLOW\"}]}",
		"seccomp \"linux.seccomp.syscalls[0]\": names no system call");
	expect_refused("{\"defaultAction\":\"SCMP_ACT_ALLOW\",\"syscalls\":[{\"names\":[\"read\"],"
		       "\"action\":\"SCMP_ACT_ERRNO\",\"errnoRet\":65536}]}",
		"seccomp \"linux.seccomp.syscalls[0].errnoRet\": 65536 is not between 0 and 65535");
	expect_refused(
		"{\"defaultAction\":\"SCMP_ACT_ALLOW\",\"syscalls\":[{\"names\":[\"read\"],\"action\":\"SCMP_ACT_LOG\","
		"\"args\":[{\"index\":6,\"value\":0,\"op\":\"SCMP_CMP_EQ\"}]}]}",
		"seccomp \"linux.seccomp.syscalls[0]\": args[0].index is 6, but a call has 6 arguments");
	expect_refused(
		"{\"defaultAction\":\"SCMP_ACT_ALLOW\",\"syscalls\":[{\"names\":[\"read\"],\"action\":\"SCMP_ACT_LOG\","
		"\"args\":[{\"index\":0,\"value\":-1,\"op\":\"SCMP_CMP_EQ\"}]}]}",
		"seccomp \"linux.seccomp.syscalls[0].args[0].value\": -1 is not between 0 and 18446744073709551615");
	expect_refused("{\"defaultAction\":\"SCMP_ACT_ALLOW\",\"syscalls\":[{\"names\":[\"read\",\"write\"],"
		       "\"action\":\"SCMP_ACT_NOTIFY\"}]}",
		"seccomp \"linux.seccomp.syscalls[0]\": SCMP_ACT_NOTIFY cannot be used for write");
}

static void test_errors_of_the_docker_form(void **state)
{
	(void)state;
	expect_refused("{\"defaultAction\":\"SCMP_ACT_ALLOW\",\"architectures\":[\"SCMP_ARCH_X86\"],"
		       "\"archMap\":[{\"architecture\":\"SCMP_ARCH_X86_64\"}]}",
		"seccomp \"linux.seccomp\": has both architectures and archMap");
	expect_refused("{\"defaultAction\":\"SCMP_ACT_ALLOW\",\"syscalls\":[{\"name\":\"read\",\"names\":[\"read\"],"
		       "\"action\":\"SCMP_ACT_LOG\"}]}",
		"seccomp \"linux.seccomp.syscalls[0]\": has both name and names");
	expect_refused(
		"{\"defaultAction\":\"SCMP_ACT_ALLOW\",\"syscalls\":[{\"name\":\"read\",\"action\":\"SCMP_ACT_ERRNO\","
		"\"errno\":\"EWHAT\"}]}",
		"seccomp \"linux.seccomp.syscalls[0]\": \"EWHAT\" is no error number");
	expect_refused(
		"{\"defaultAction\":\"SCMP_ACT_ALLOW\",\"syscalls\":[{\"name\":\"read\",\"action\":\"SCMP_ACT_LOG\","
		"\"includes\":{\"minKernel\":\"new\"}}]}",
		"seccomp \"linux.seccomp.syscalls[0]\": minKernel \"new\" is no kernel version such as 4.8");
}

/* The number of rules that are left of one with this condition. */
static size_t rules_left(const char *condition, uint64_t caps)
{
	AUTO(arena_free) struct arena *a = arena_new();
	char text[512];

	(void)snprintf(text, sizeof(text),
		"{\"defaultAction\":\"SCMP_ACT_ERRNO\",\"syscalls\":[{\"name\":\"mount\",\"action\":\"SCMP_ACT_ALLOW\","
		"%s}]}",
		condition);
	return read_ok(a, text, caps).n_rules;
}

static void test_conditions_are_judged(void **state)
{
	const uint64_t admin = CAPS_BIT(CAP_SYS_ADMIN), both = admin | CAPS_BIT(CAP_SYS_BOOT);

	(void)state;
	assert_int_equal(rules_left("\"includes\":{}", 0), 1);
	assert_int_equal(rules_left("\"includes\":{\"caps\":[\"CAP_SYS_ADMIN\"]}", 0), 0);
	assert_int_equal(rules_left("\"includes\":{\"caps\":[\"CAP_SYS_ADMIN\"]}", admin), 1);
	assert_int_equal(rules_left("\"includes\":{\"caps\":[\"CAP_SYS_ADMIN\",\"CAP_SYS_BOOT\"]}", admin), 0);
	assert_int_equal(rules_left("\"includes\":{\"caps\":[\"CAP_SYS_ADMIN\",\"CAP_SYS_BOOT\"]}", both), 1);
	assert_int_equal(rules_left("\"includes\":{\"caps\":[\"CAP_OF_THE_FUTURE\"]}", UINT64_MAX), 0);
	assert_int_equal(rules_left("\"excludes\":{\"caps\":[\"CAP_SYS_ADMIN\",\"CAP_SYS_BOOT\"]}", admin), 0);
	assert_int_equal(rules_left("\"excludes\":{\"caps\":[\"CAP_SYS_ADMIN\"]}", 0), 1);
	assert_int_equal(rules_left("\"includes\":{\"arches\":[\"s390\"]}", 0), 0);
	assert_int_equal(rules_left("\"excludes\":{\"arches\":[\"s390\"]}", 0), 1);
	assert_int_equal(
		rules_left("\"includes\":{\"arches\":[\"amd64\",\"arm64\",\"riscv64\",\"ppc64le\",\"s390x\"]}", 0), 1);
	assert_int_equal(rules_left("\"includes\":{\"minKernel\":\"4.8\"}", 0), 1);
	assert_int_equal(rules_left("\"includes\":{\"minKernel\":\"999.0\"}", 0), 0);
	assert_int_equal(rules_left("\"excludes\":{\"minKernel\":\"4.8\"}", 0), 0);
}

static void test_podmans_error_names(void **state)
{
	AUTO(arena_free) struct arena *a = arena_new();
	struct spec_seccomp s = read_ok(a,
		"{\"defaultAction\":\"SCMP_ACT_ERRNO\",\"defaultErrno\":\"ENOSYS\",\"syscalls\":["
		"{\"names\":[\"mount\"],\"action\":\"SCMP_ACT_ERRNO\",\"errno\":\"EINVAL\"}]}",
		0);

	(void)state;
	assert_int_equal(s.default_errno.value, ENOSYS);
	assert_int_equal(s.rules[0].errno_ret.value, EINVAL);
}

static void test_two_conditions_on_one_argument_are_alternatives(void **state)
{
	static const char text[] = "{\"defaultAction\":\"SCMP_ACT_ERRNO\",\"syscalls\":[{\"names\":[\"personality\"],"
				   "\"action\":\"SCMP_ACT_ALLOW\","
				   "\"args\":[{\"index\":0,\"value\":0,\"op\":\"SCMP_CMP_EQ\"},{\"index\":0,\"value\":"
				   "8,\"op\":\"SCMP_CMP_EQ\"}]}]}";
	AUTO(arena_free) struct arena *a = arena_new();
	struct spec_seccomp s = read_ok(a, text, 0);
	const struct seccomp_numbers *personality = seccomp_numbers_find("personality");
	uint32_t arch = seccomp_abi_at(0)->audit_arch;
	struct sock_filter *filter = NULL;
	size_t n = 0;

	(void)state;
	assert_non_null(personality);
	assert_int_equal(seccomp_compile(a, &s, 0, &filter, &n, NULL), 0);
	for (uint64_t value = 0; value < 10; value++)
		assert_int_equal(
			seccomp_verdict(filter, n, arch, (uint32_t)personality->nrs[0], (const uint64_t[6]){value}),
			value == 0 || value == 8 ? SECCOMP_RET_ALLOW : (SECCOMP_RET_ERRNO | EPERM));
}

static void test_a_profile_that_does_not_fit_says_so(void **state)
{
	static const char *const names[] = {"ioctl", NULL};
	struct seccomp_arg args[1500];
	struct seccomp_rule rules[1500];
	const struct spec_seccomp s = {
		.source = SECCOMP_PROFILE, .default_action = SECCOMP_RET_ALLOW, .rules = rules, .n_rules = 1500};
	AUTO(arena_free) struct arena *a = arena_new();
	struct nook_error e = NOOK_ERROR_INIT;
	struct sock_filter *filter = NULL;
	char said[512];
	size_t n = 0;

	(void)state;
	for (size_t i = 0; i < 1500; i++) {
		args[i] = (struct seccomp_arg){.index = 1, .op = SECCOMP_OP_EQ, .value = i};
		rules[i] = (struct seccomp_rule){
			.names = names, .action = SECCOMP_RET_TRAP, .args = &args[i], .n_args = 1};
	}
	assert_int_equal(seccomp_compile(a, &s, 0, &filter, &n, &e), -E2BIG);
	(void)nook_error_text(&e, said, sizeof(said));
	assert_non_null(strstr(said, "instructions and the kernel takes 4096"));
}

static void test_file_errors_name_file_and_member(void **state)
{
	char path[] = "/tmp/nook-test-seccomp-XXXXXX";
	auto_close int fd = mkstemp(path);
	AUTO(arena_free) struct arena *a = arena_new();
	struct nook_error e = NOOK_ERROR_INIT;
	struct spec_seccomp s = {0};
	char said[1024], wanted[1024];

	(void)state;
	assert_true(fd >= 0);
	assert_int_equal(fd_write(fd, "{\"defaultAction\":7}", 19), 0);
	assert_int_equal(seccomp_profile_load(a, path, 0, &s, &e), -EINVAL);
	(void)nook_error_text(&e, said, sizeof(said));
	(void)snprintf(
		wanted, sizeof(wanted), "seccomp \"%s\": defaultAction: expected a string, found an integer", path);
	assert_string_equal(said, wanted);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(seccomp_profile_load(a, path, 0, &s, &e), -ENOENT);
	assert_string_equal(e.object, path);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_member_of_the_oci_form),
		cmocka_unit_test(test_empty_flags_are_not_absent_flags),
		cmocka_unit_test(test_errors_name_the_member),
		cmocka_unit_test(test_errors_of_the_docker_form),
		cmocka_unit_test(test_conditions_are_judged),
		cmocka_unit_test(test_podmans_error_names),
		cmocka_unit_test(test_two_conditions_on_one_argument_are_alternatives),
		cmocka_unit_test(test_a_profile_that_does_not_fit_says_so),
		cmocka_unit_test(test_file_errors_name_file_and_member),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
