/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What needs namespaces of its own: each test runs in a child that has unshared them, as any user may. */
#include "sys/keyring.h"
#include "sys/mountapi.h"
#include "sys/netlink.h"
#include "sys/procfd.h"
#include "temp.h"

#include <linux/keyctl.h>
#include <net/if.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>

enum { NOT_ALLOWED = 77 };

/* Runs F in new namespaces: 0, or the number of the check that failed. */
static void in_namespaces(int flags, int (*f)(void))
{
	int status = 0;
	pid_t pid = fork();

	if (pid == 0) {
		int proc = open("/proc/self", O_PATH | O_CLOEXEC);
		char uid_map[32], gid_map[32];

		(void)snprintf(uid_map, sizeof(uid_map), "0 %u 1", geteuid());
		(void)snprintf(gid_map, sizeof(gid_map), "0 %u 1", getegid());
		if (unshare(CLONE_NEWUSER | flags) < 0 || file_write(proc, "uid_map", uid_map, STEP_IDMAP, NULL) < 0 ||
		    file_write(proc, "setgroups", "deny", STEP_IDMAP, NULL) < 0 ||
		    file_write(proc, "gid_map", gid_map, STEP_IDMAP, NULL) < 0)
			_exit(NOT_ALLOWED);
		_exit(f());
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	if (WEXITSTATUS(status) == NOT_ALLOWED)
		skip();
	assert_int_equal(WEXITSTATUS(status), 0);
}

static int loopback(void)
{
	auto_close int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct ifreq lo = {.ifr_name = "lo"};

	if (ioctl(fd, SIOCGIFFLAGS, &lo) < 0 || (lo.ifr_flags & IFF_UP))
		return 1;
	if (net_loopback_up(NULL) < 0 || net_loopback_up(NULL) < 0)
		return 2;
	if (ioctl(fd, SIOCGIFFLAGS, &lo) < 0 || !(lo.ifr_flags & IFF_UP) || !(lo.ifr_flags & IFF_RUNNING))
		return 3;
	return ioctl(fd, SIOCGIFADDR, &lo) < 0 ? 4 : 0;
}

static void test_loopback_comes_up_with_its_address(void **state)
{
	(void)state;
	in_namespaces(CLONE_NEWNET, loopback);
}

static int kernel_words(void)
{
	static const char *const params[] = {"size", "64k", "nonsense", "1"};
	struct nook_error e = NOOK_ERROR_INIT;

	if (fs_mount_new("tmpfs", params, 2, 0, STEP_MOUNT, "/dev/shm", &e) != -EINVAL)
		return 1;
	if (e.step != STEP_MOUNT || strcmp(e.object, "/dev/shm") != 0 || e.sys_errno != EINVAL)
		return 2;
	if (!strstr(e.detail, "nonsense") || e.detail[1] == ' ')
		return 3;
	if (fs_mount_new("nosuchfs", NULL, 0, 0, STEP_MOUNT, "/x", &e) != -ENODEV || e.detail[0])
		return 4;
	return 0;
}

static void test_errors_keep_the_kernels_explanation(void **state)
{
	(void)state;
	in_namespaces(CLONE_NEWNS, kernel_words);
}

static int pivot(void)
{
	static const char *const params[] = {"size", "64k"};
	int mnt = fs_mount_new("tmpfs", params, 1, MOUNT_ATTR_NODEV, STEP_ROOT, "root", NULL);
	auto_close int at = open("/tmp", O_PATH | O_DIRECTORY | O_CLOEXEC);

	if (mnt < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
		return 1;
	if (mkdirat(mnt, "inside", 0755) < 0 || mount_attach(mnt, at) < 0)
		return 2;
	if (mount_pivot(mnt, NULL) < 0)
		return 3;
	if (access("/inside", F_OK) < 0 || access("/etc", F_OK) == 0)
		return 4;
	if (mount_attrs(mnt, 0, MOUNT_ATTR_RDONLY, 0, 0, -1) < 0)
		return 5;
	return mkdir("/more", 0755) < 0 && errno == EROFS ? 0 : 6;
}

static void test_pivot_leaves_the_old_root_behind(void **state)
{
	(void)state;
	in_namespaces(CLONE_NEWNS, pivot);
}

static int covered_proc(void)
{
	static const char *const params[] = {"size", "64k"};
	int mnt = fs_mount_new("tmpfs", params, 1, 0, STEP_ROOT, "tmpfs", NULL);
	auto_close int whole = procfd_open(NULL);
	auto_close int self = open("/proc/self/attr", O_PATH | O_DIRECTORY | O_CLOEXEC);
	struct nook_error e = NOOK_ERROR_INIT;

	if (mnt < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 || whole < 0)
		return 1;
	if (self >= 0) {
		if (mount_attach(mnt, self) < 0)
			return 2;
		if (procfd_path(whole, "self/attr/exec", O_WRONLY | O_CREAT, STEP_LSM, &e) != -EXDEV)
			return 3;
		mnt = fs_mount_new("tmpfs", params, 1, 0, STEP_ROOT, "tmpfs", NULL);
	}
	auto_close int proc = open("/proc", O_PATH | O_DIRECTORY | O_CLOEXEC);

	if (mount_attach(mnt, proc) < 0)
		return 4;
	return procfd_open(&e) == -EXDEV && e.step == STEP_PROC ? 0 : 5;
}

static void test_a_covered_proc_is_noticed(void **state)
{
	(void)state;
	in_namespaces(CLONE_NEWNS, covered_proc);
}

static int keyring(void)
{
	long before = syscall(SYS_keyctl, KEYCTL_GET_KEYRING_ID, KEY_SPEC_SESSION_KEYRING, 0), named, again;

	if (before < 0 && errno == ENOSYS)
		return keyring_join(NULL, NULL);
	if (keyring_join(NULL, NULL) < 0)
		return 1;
	if (syscall(SYS_keyctl, KEYCTL_GET_KEYRING_ID, KEY_SPEC_SESSION_KEYRING, 0) == before)
		return 2;
	if (keyring_join("nook-unit", NULL) < 0 || keyring_share("nook-unit", NULL) < 0)
		return 3;
	named = syscall(SYS_keyctl, KEYCTL_GET_KEYRING_ID, KEY_SPEC_SESSION_KEYRING, 0);
	/* A second one of the same user joins it by name. */
	if (keyring_join("nook-unit", NULL) < 0)
		return 4;
	again = syscall(SYS_keyctl, KEYCTL_GET_KEYRING_ID, KEY_SPEC_SESSION_KEYRING, 0);
	return named == again ? 0 : 5;
}

static void test_keyring_is_new_and_joined_by_name(void **state)
{
	(void)state;
	in_namespaces(0, keyring);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_loopback_comes_up_with_its_address),
		cmocka_unit_test(test_errors_keep_the_kernels_explanation),
		cmocka_unit_test(test_pivot_leaves_the_old_root_behind),
		cmocka_unit_test(test_a_covered_proc_is_noticed),
		cmocka_unit_test(test_keyring_is_new_and_joined_by_name),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
