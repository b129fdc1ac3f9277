/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Tries every known way out of a container, from inside.
 *
 *     escape hold|fall MARKER SOCKET SHM-KEY PID PIDS-LIMIT INIT [WORD]
 *     escape grab
 *
 * "hold" is for a container: an attack that gains something has failed the test.  "fall" is for a weak set-up (a chroot
 * run by root), against which the attacks must work, or they would prove nothing: those marked FALLS must gain there; the
 * others depend on the kernel and on what the machine itself may.  With WORD, only attacks whose names hold
 * it.  No attack changes anything that outlives it.
 */
#include "escape.h"

#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

enum weak { FALLS, DEPENDS };
enum end { HELD = 0, GAINED = 1 };
enum { SECONDS = 20 };

struct outside outside;

static const struct attack {
	const char *name;
	bool (*run)(void);
	enum weak weak;
} attacks[] = {
	{"a descriptor below 100 that was left open", attack_low_descriptors, FALLS},
	{"a descriptor above 100 that was left open", attack_high_descriptors, FALLS},
	{"ptrace of pid 1", attack_init_ptrace, FALLS},
	{"/proc/1/mem", attack_init_mem, FALLS},
	{"process_vm_readv of pid 1", attack_init_readv, FALLS},
	{"/proc/1/environ", attack_init_environ, FALLS},
	{"/proc/1/exe", attack_init_exe, FALLS},
	{"/proc/1/root", attack_init_root, FALLS},
	{"/proc/1/fd", attack_init_fds, FALLS},
	{"pidfd_getfd of pid 1", attack_init_pidfd, FALLS},
	{"settings of pid 1", attack_init_settings, FALLS},
	{"a process of the host", attack_host_process, FALLS},
	{"ptrace of a process of the host", attack_ptrace_outside, FALLS},
	{"a setuid program", attack_setuid_program, FALLS},
	{"CAP_SYS_ADMIN and its like", attack_capabilities, FALLS},
	{"raising a hard limit", attack_rlimit, DEPENDS},
	{"real-time scheduling", attack_realtime, DEPENDS},
	{"a negative nice value", attack_nice, DEPENDS},
	{"an oom_score_adj below 0", attack_oom_score, DEPENDS},
	{"more processes than the limit", attack_fork_bomb, FALLS},
	{"System V shared memory of the host", attack_shm, FALLS},
	{"an abstract socket of the host", attack_abstract_socket, FALLS},
	{"ids of the host", attack_own_user, FALLS},
	{"a socket of a service of the host", attack_service_socket, FALLS},
	{"sockets of docker and other engines", attack_engine_sockets, DEPENDS},
	{"D-Bus and systemd of the host", attack_buses, DEPENDS},

	{"network: the metadata of a cloud", attack_metadata, FALLS},
	{"network: the loopback of the host", attack_loopback, FALLS},
	{"network: metadata by way of a proxy", attack_proxy_metadata, FALLS},
	{"network: metadata by way of SOCKS", attack_proxy_socks, FALLS},
	{"network: the host's loopback by way of a proxy", attack_proxy_loopback, FALLS},
	{"network: a name that changes its mind", attack_proxy_rebinding, FALLS},

	{"chroot and ..", attack_chroot, FALLS},
	{"a working directory outside", attack_cwd, DEPENDS},
	{"open_by_handle_at", attack_handle, DEPENDS},
	{"mount", attack_mount, FALLS},
	{"bind and remount of /", attack_remount_root, FALLS},
	{"remount of /proc", attack_remount_proc, FALLS},
	{"unmounting what masks", attack_umount_masks, DEPENDS},
	{"fsopen, open_tree, mount_setattr", attack_new_mount_api, FALLS},
	{"move_mount of a mount of /proc", attack_move_mount, FALLS},
	{"pivot_root", attack_pivot_root, FALLS},
	{"mounts with peers outside", attack_propagation, DEPENDS},
	{"mknod", attack_mknod, FALLS},
	{"a device node planted in the root", attack_planted_device, FALLS},
	{"devices of the host in /dev", attack_devices, FALLS},
	{"masked files", attack_masks, FALLS},
	{"core_pattern", attack_core_pattern, FALLS},
	{"sysrq-trigger", attack_sysrq, DEPENDS},
	{"/proc/sys", attack_proc_sys, FALLS},
	{"binfmt_misc", attack_binfmt_misc, DEPENDS},
	{"release_agent", attack_release_agent, DEPENDS},
	{"files of cgroups", attack_cgroup_files, FALLS},
	{"files of sysfs", attack_sysfs, FALLS},
	{"inodes without end", attack_inodes, FALLS},

	{"unshare(CLONE_NEWNS)", attack_unshare, FALLS},
	{"unshare(CLONE_NEWUSER)", attack_userns, DEPENDS},
	{"unshare of every other namespace", attack_unshare_each, FALLS},
	{"clone(CLONE_NEWNS)", attack_clone, FALLS},
	{"clone with high bits", attack_clone_dirty, FALLS},
	{"clone3(CLONE_NEWNS)", attack_clone3, FALLS},
	{"setns to pid 1", attack_setns, FALLS},
	{"setns with high bits", attack_setns_dirty, FALLS},
	{"keyrings", attack_keyring, FALLS},
	{"/proc/keys", attack_keys_listed, DEPENDS},
	{"TIOCSTI", attack_tiocsti, FALLS},
	{"TIOCSTI with high bits", attack_tiocsti_dirty, FALLS},
	{"TIOCLINUX with high bits", attack_tioclinux_dirty, FALLS},
	{"bpf", attack_bpf, FALLS},
	{"perf_event_open", attack_perf, FALLS},
	{"userfaultfd", attack_userfaultfd, DEPENDS},
	{"io_uring", attack_io_uring, DEPENDS},
	{"a socket by io_uring", attack_io_uring_socket, DEPENDS},
	{"fanotify", attack_fanotify, DEPENDS},
	{"int 0x80", attack_i386, DEPENDS},
	{"an x32 number", attack_x32, DEPENDS},
	{"AF_ALG", attack_af_alg, DEPENDS},
	{"AF_ALG with high bits", attack_af_alg_dirty, DEPENDS},
	{"AF_VSOCK", attack_af_vsock, DEPENDS},
	{"AF_XDP", attack_af_xdp, DEPENDS},
	{"AF_PACKET", attack_af_packet, FALLS},
	{"NETLINK_AUDIT", attack_netlink_audit, DEPENDS},
	{"changing a network interface", attack_net_admin, FALLS},
	{"kexec_load", attack_kexec, DEPENDS},
	{"kernel modules", attack_modules, DEPENDS},
	{"reboot", attack_reboot, DEPENDS},
	{"swapon", attack_swap, FALLS},
	{"iopl", attack_ports, DEPENDS},
	{"the kernel's log", attack_kernel_log, DEPENDS},
	{"personality without randomness", attack_personality, FALLS},
	{"sethostname", attack_hostname, FALLS},
	{"setting the clock", attack_time, DEPENDS},
};

bool can_open(const char *path, int flags)
{
	int fd = open(path, flags | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);

	if (fd >= 0)
		(void)close(fd);
	return fd >= 0;
}

const char *text_of(const char *path, char *buf, size_t size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	ssize_t n = fd < 0 ? -1 : read(fd, buf, size - 1);

	buf[n > 0 ? n : 0] = 0;
	if (fd >= 0)
		(void)close(fd);
	return buf;
}

/* One attack in a process of its own, and where that is allowed in a mount namespace of its own. */
static bool gains(const struct attack *a, bool weak)
{
	int status = 0;
	pid_t pid = fork();

	if (pid == 0) {
		(void)alarm(SECONDS);
		if (weak && unshare(CLONE_NEWNS) == 0)
			(void)mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL);
		_exit(a->run() ? GAINED : HELD);
	}
	if (pid < 0 || waitpid(pid, &status, 0) < 0) {
		perror(a->name);
		exit(2);
	}
	/* One that was killed has gained nothing, unless it hangs: then it shows nothing either. */
	if (WIFSIGNALED(status) && WTERMSIG(status) == SIGALRM)
		(void)printf("%s: took longer than %d s\n", a->name, SECONDS);
	return WIFEXITED(status) && WEXITSTATUS(status) == GAINED;
}

/* What the setuid copy of this program is asked: whether it became root. */
static int say_who(void)
{
	return geteuid() == 0 ? GAINED : HELD;
}

int main(int argc, char **argv)
{
	unsigned passed = 0, failed = 0, open_doors = 0;
	bool weak;

	if (argc == 2 && !strcmp(argv[1], "who"))
		return say_who();
	if (argc == 2 && !strcmp(argv[1], "grab"))
		return grab();
	if ((argc != 8 && argc != 9) || (strcmp(argv[1], "hold") && strcmp(argv[1], "fall"))) {
		(void)fputs("usage: escape hold|fall MARKER SOCKET SHM-KEY PID PIDS-LIMIT INIT [WORD]\n", stderr);
		return 2;
	}
	weak = !strcmp(argv[1], "fall");
	outside = (struct outside){argv[2], argv[3], atoi(argv[4]), atoi(argv[5]), atoi(argv[7]), (unsigned)atoi(argv[6])};
	(void)setvbuf(stdout, NULL, _IONBF, 0);
	for (size_t i = 0; i < sizeof(attacks) / sizeof(attacks[0]); i++) {
		bool gained, good;

		if (argc == 9 && !strstr(attacks[i].name, argv[8]))
			continue;
		gained = gains(&attacks[i], weak);
		good = weak ? gained || attacks[i].weak == DEPENDS : !gained;

		open_doors += gained;
		passed += good;
		failed += !good;
		if (!good)
			(void)printf("%s: %s\n", attacks[i].name, gained ? "a way out" : "the attack does not work");
		else if (weak && !gained)
			(void)printf("%s: cannot be tried on this machine\n", attacks[i].name);
	}
	(void)printf("%u of %zu ways are open\n", open_doors, sizeof(attacks) / sizeof(attacks[0]));
	(void)printf("%u passed, %u failed\n", passed, failed);
	return failed ? 1 : 0;
}
