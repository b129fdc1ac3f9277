/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "security/caps.h"
#include "security/seccomp.h"
#include "security/seccomp_names.h"
#include "tests.h"

#include <linux/audit.h>
#include <linux/netlink.h>
#include <linux/sched.h>
#include <linux/seccomp.h>
#include <stdbool.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define ALLOW SECCOMP_RET_ALLOW
#define REFUSE(number) (SECCOMP_RET_ERRNO | (number))
#define HIGH (UINT64_C(1) << 32)

static uint32_t asked_as(const struct spec_seccomp *s, uint64_t caps, size_t abi, int32_t nr, const uint64_t args[6])
{
	AUTO(arena_free) struct arena *a = arena_new();
	struct sock_filter *filter = NULL;
	size_t n = 0;

	assert_int_equal(seccomp_compile(a, s, caps, &filter, &n, NULL), 0);
	return seccomp_verdict(filter, n, seccomp_abi_at(abi)->audit_arch, (uint32_t)nr, args);
}

static uint32_t asked(uint64_t caps, bool nesting, const char *name, uint64_t a0, uint64_t a1, uint64_t a2)
{
	const struct spec_seccomp s = {.source = SECCOMP_DEFAULT, .nesting = nesting};
	const struct seccomp_numbers *nrs = seccomp_numbers_find(name);

	assert_non_null(nrs);
	return asked_as(&s, caps, 0, nrs->nrs[0], (const uint64_t[6]){a0, a1, a2});
}

static uint32_t plain(const char *name)
{
	return asked(CAPS_DEFAULT, false, name, 0, 0, 0);
}

static void test_ordinary_calls_are_allowed(void **state)
{
	static const char *const names[] = {"read", "openat2", "execve", "exit_group", "futex_wait", "mseal", "chroot",
		"landlock_restrict_self", "file_setattr", "rt_sigreturn", "pidfd_open"};

	(void)state;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		assert_int_equal(plain(names[i]), ALLOW);
}

static void test_ways_out_are_refused(void **state)
{
	static const char *const names[] = {
		"mount",
		"umount2",
		"move_mount",
		"open_tree",
		"open_tree_attr",
		"fsopen",
		"fsconfig",
		"mount_setattr",
		"pivot_root",
		"setns",
		"keyctl",
		"add_key",
		"request_key",
		"bpf",
		"perf_event_open",
		"userfaultfd",
		"io_uring_setup",
		"io_uring_enter",
		"io_uring_register",
		"kexec_load",
		"kexec_file_load",
		"init_module",
		"finit_module",
		"delete_module",
		"open_by_handle_at",
		"swapon",
		"reboot",
		"acct",
		"syslog",
		"quotactl",
		"move_pages",
		"migrate_pages",
		"lsm_set_self_attr",
		"kcmp",
		"pidfd_getfd",
		"sethostname",
		"settimeofday",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (plain(names[i]) != REFUSE(EPERM))
			fail_msg("%s is not refused", names[i]);
	assert_int_equal(plain("clone3"), REFUSE(ENOSYS));
}

static void test_privileged_container_still_has_no_keyring_and_no_io_uring(void **state)
{
	static const char *const names[] = {"add_key", "request_key", "io_uring_setup", "userfaultfd", "kexec_load"};

	(void)state;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		assert_int_equal(asked(CAPS_ALL, true, names[i], 0, 0, 0), REFUSE(EPERM));
}

static void test_new_namespaces_are_refused_whatever_the_high_bits(void **state)
{
	static const uint64_t flags[] = {
		CLONE_NEWNS, CLONE_NEWCGROUP, CLONE_NEWUTS, CLONE_NEWIPC, CLONE_NEWUSER, CLONE_NEWPID, CLONE_NEWNET};

	(void)state;
	for (size_t i = 0; i < sizeof(flags) / sizeof(flags[0]); i++) {
		assert_int_equal(asked(CAPS_DEFAULT, false, "clone", flags[i] | HIGH | 17, 0, 0), REFUSE(EPERM));
		assert_int_equal(asked(CAPS_DEFAULT, false, "unshare", flags[i] | HIGH, 0, 0), REFUSE(EPERM));
		assert_int_equal(asked(CAPS_DEFAULT | CAPS_BIT(CAP_SYS_ADMIN), false, "clone", flags[i], 0, 0), ALLOW);
		assert_int_equal(asked(CAPS_DEFAULT, true, "unshare", flags[i], 0, 0), ALLOW);
	}
	assert_int_equal(asked(CAPS_DEFAULT, false, "unshare", CLONE_NEWTIME, 0, 0), REFUSE(EPERM));
	assert_int_equal(asked(CAPS_DEFAULT, false, "unshare", CLONE_FILES, 0, 0), ALLOW);
	assert_int_equal(asked(CAPS_DEFAULT, false, "clone", CLONE_VM | CLONE_THREAD | CLONE_SIGHAND, 0, 0), ALLOW);
}

static void test_terminal_input_is_refused_whatever_the_high_bits(void **state)
{
	(void)state;
	assert_int_equal(asked(CAPS_ALL, false, "ioctl", 0, TIOCSTI, 0), REFUSE(EPERM));
	assert_int_equal(asked(CAPS_ALL, true, "ioctl", 0, TIOCSTI | HIGH, 0), REFUSE(EPERM));
	assert_int_equal(
		asked(CAPS_DEFAULT, false, "ioctl", 0, TIOCLINUX | UINT64_C(0xffffffff) << 32, 0), REFUSE(EPERM));
	assert_int_equal(asked(CAPS_DEFAULT, false, "ioctl", 0, TIOCGWINSZ, 0), ALLOW);
}

static void test_socket_families(void **state)
{
	static const uint64_t refused[] = {AF_ALG, AF_VSOCK, AF_XDP};

	(void)state;
	for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
		assert_int_equal(asked(CAPS_ALL, true, "socket", refused[i], SOCK_STREAM, 0), REFUSE(EAFNOSUPPORT));
		assert_int_equal(asked(CAPS_DEFAULT, false, "socket", refused[i] | HIGH, 0, 0), REFUSE(EAFNOSUPPORT));
		assert_int_equal(asked(CAPS_DEFAULT, false, "socketpair", refused[i], 0, 0), REFUSE(EAFNOSUPPORT));
	}
	assert_int_equal(
		asked(CAPS_DEFAULT, false, "socket", AF_NETLINK, SOCK_RAW, NETLINK_AUDIT), REFUSE(EPROTONOSUPPORT));
	assert_int_equal(asked(CAPS_DEFAULT, false, "socket", AF_NETLINK | HIGH, SOCK_RAW, NETLINK_AUDIT | HIGH),
		REFUSE(EPROTONOSUPPORT));
	assert_int_equal(asked(CAPS_BIT(CAP_AUDIT_WRITE), false, "socket", AF_NETLINK, SOCK_RAW, NETLINK_AUDIT), ALLOW);
	assert_int_equal(asked(CAPS_DEFAULT, false, "socket", AF_NETLINK, SOCK_RAW, NETLINK_ROUTE), ALLOW);
	assert_int_equal(asked(CAPS_DEFAULT, false, "socket", AF_INET, SOCK_STREAM, NETLINK_AUDIT), ALLOW);
	assert_int_equal(asked(CAPS_DEFAULT, false, "socket", AF_UNIX, SOCK_STREAM, 0), ALLOW);
}

static void test_personality_takes_the_usual_five(void **state)
{
	static const uint64_t allowed[] = {0, 8, 0x20000, 0x20008, 0xffffffff, UINT64_MAX};

	(void)state;
	for (size_t i = 0; i < sizeof(allowed) / sizeof(allowed[0]); i++)
		assert_int_equal(asked(CAPS_DEFAULT, false, "personality", allowed[i], 0, 0), ALLOW);
	assert_int_equal(asked(CAPS_DEFAULT, false, "personality", 0x0040000, 0, 0), REFUSE(EPERM)); /* no ASLR */
	assert_int_equal(asked(CAPS_DEFAULT, false, "personality", 0x0100000, 0, 0), REFUSE(EPERM)); /* mmap at zero */
}

static void test_capabilities_open_what_they_are_for(void **state)
{
	static const struct {
		unsigned cap;
		const char *name;
	} rows[] = {
		{CAP_DAC_READ_SEARCH, "open_by_handle_at"},
		{CAP_SYS_ADMIN, "mount"},
		{CAP_SYS_ADMIN, "setns"},
		{CAP_SYS_ADMIN, "clone3"},
		{CAP_SYS_BOOT, "reboot"},
		{CAP_SYS_MODULE, "init_module"},
		{CAP_SYS_PTRACE, "kcmp"},
		{CAP_SYS_TIME, "settimeofday"},
		{CAP_SYSLOG, "syslog"},
		{CAP_BPF, "bpf"},
		{CAP_PERFMON, "perf_event_open"},
		{CAP_SYS_NICE, "mbind"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		assert_int_equal(asked(CAPS_BIT(rows[i].cap), false, rows[i].name, 0, 0, 0), ALLOW);
		assert_int_not_equal(asked(CAPS_ALL & ~CAPS_BIT(CAP_SYS_ADMIN) & ~CAPS_BIT(rows[i].cap), false,
					     rows[i].name, 0, 0, 0),
			ALLOW);
	}
	assert_int_not_equal(asked(0, false, "chroot", 0, 0, 0), ALLOW);
}

static void test_numbers_newer_than_the_profile_say_enosys(void **state)
{
	const struct spec_seccomp s = {.source = SECCOMP_DEFAULT};
	const uint64_t args[6] = {0};
	const struct seccomp_numbers *newest = seccomp_numbers_find("file_setattr");

	(void)state;
	assert_int_equal(asked_as(&s, CAPS_DEFAULT, 0, newest->nrs[0], args), ALLOW);
	assert_int_equal(asked_as(&s, CAPS_DEFAULT, 0, newest->nrs[0] + 1, args), REFUSE(ENOSYS));
	assert_int_equal(asked_as(&s, CAPS_DEFAULT, 0, INT32_MAX, args), REFUSE(ENOSYS));
	assert_int_equal(asked_as(&s, CAPS_DEFAULT, 0, -1, args), REFUSE(ENOSYS));
}

#if defined(__x86_64__)
static void test_foreign_architectures_are_refused_unless_asked_for(void **state)
{
	const struct spec_seccomp native = {.source = SECCOMP_DEFAULT},
				  foreign = {.source = SECCOMP_DEFAULT, .foreign_archs = true};
	const struct seccomp_numbers *getpid = seccomp_numbers_find("getpid"),
				     *socketcall = seccomp_numbers_find("socketcall");
	const struct seccomp_numbers *mount = seccomp_numbers_find("mount");
	const uint64_t zero[6] = {0}, one[6] = {1}, bind[6] = {2};

	(void)state;
	for (size_t abi = 1; abi < 3; abi++) {
		assert_int_equal(asked_as(&native, CAPS_ALL, abi, getpid->nrs[abi], zero), REFUSE(ENOSYS));
		assert_int_equal(asked_as(&foreign, CAPS_DEFAULT, abi, getpid->nrs[abi], zero), ALLOW);
		assert_int_equal(asked_as(&foreign, CAPS_DEFAULT, abi, mount->nrs[abi], zero), REFUSE(EPERM));
	}
	assert_int_equal(asked_as(&foreign, CAPS_DEFAULT, 1, socketcall->nrs[1], one), REFUSE(ENOSYS));
	assert_int_equal(asked_as(&foreign, CAPS_DEFAULT, 1, socketcall->nrs[1], bind), ALLOW);
	assert_int_equal(asked_as(&foreign, CAPS_DEFAULT, 0, 0x3fffffff, zero), REFUSE(ENOSYS));
}

static void test_an_architecture_that_cannot_be_says_enosys(void **state)
{
	const struct spec_seccomp s = {.source = SECCOMP_DEFAULT, .foreign_archs = true};
	const uint64_t args[6] = {0};
	AUTO(arena_free) struct arena *a = arena_new();
	struct sock_filter *filter = NULL;
	size_t n = 0;

	(void)state;
	assert_int_equal(seccomp_compile(a, &s, CAPS_ALL, &filter, &n, NULL), 0);
	assert_int_equal(seccomp_verdict(filter, n, AUDIT_ARCH_AARCH64, 63, args), REFUSE(ENOSYS));
}
#endif

static void test_no_filter_is_no_program(void **state)
{
	const struct spec_seccomp s = {.source = SECCOMP_NONE};
	AUTO(arena_free) struct arena *a = arena_new();
	struct sock_filter *filter = NULL;
	size_t n = 7;

	(void)state;
	assert_int_equal(seccomp_compile(a, &s, 0, &filter, &n, NULL), 0);
	assert_int_equal(n, 0);
}

static int child_under_filter(const struct sock_fprog *prog)
{
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 || syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, prog) < 0)
		return 1;
	if (syscall(SYS_getppid) < 0)
		return 2;
	if (syscall(SYS_unshare, CLONE_NEWUSER) == 0 || errno != EPERM)
		return 3;
	if (syscall(SYS_ioctl, 0, TIOCSTI | HIGH, "") == 0 || errno != EPERM)
		return 4;
	if (syscall(SYS_clone3, NULL, 0) == 0 || errno != ENOSYS)
		return 5;
	if (syscall(SYS_socket, AF_ALG | HIGH, SOCK_SEQPACKET, 0) >= 0 || errno != EAFNOSUPPORT)
		return 6;
	return 0;
}

static void test_the_kernel_takes_it_and_judges_alike(void **state)
{
	const struct spec_seccomp s = {.source = SECCOMP_DEFAULT, .foreign_archs = true};
	AUTO(arena_free) struct arena *a = arena_new();
	struct sock_fprog prog = {0};
	struct sock_filter *filter = NULL;
	size_t n = 0;
	int status = -1;
	pid_t pid;

	(void)state;
	assert_int_equal(seccomp_compile(a, &s, CAPS_DEFAULT, &filter, &n, NULL), 0);
	prog = (struct sock_fprog){.len = (unsigned short)n, .filter = filter};
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0)
		_exit(child_under_filter(&prog));
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_ordinary_calls_are_allowed),
		cmocka_unit_test(test_ways_out_are_refused),
		cmocka_unit_test(test_privileged_container_still_has_no_keyring_and_no_io_uring),
		cmocka_unit_test(test_new_namespaces_are_refused_whatever_the_high_bits),
		cmocka_unit_test(test_terminal_input_is_refused_whatever_the_high_bits),
		cmocka_unit_test(test_socket_families),
		cmocka_unit_test(test_personality_takes_the_usual_five),
		cmocka_unit_test(test_capabilities_open_what_they_are_for),
		cmocka_unit_test(test_numbers_newer_than_the_profile_say_enosys),
#if defined(__x86_64__)
		cmocka_unit_test(test_foreign_architectures_are_refused_unless_asked_for),
		cmocka_unit_test(test_an_architecture_that_cannot_be_says_enosys),
#endif
		cmocka_unit_test(test_no_filter_is_no_program),
		cmocka_unit_test(test_the_kernel_takes_it_and_judges_alike),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
