/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the ways out share.  An attack runs in a process of its own and returns true when it gained something. */
#pragma once

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What the test has put outside, for the attacks to reach. */
struct outside {
	const char *marker;   /* path of a file outside the root */
	const char *socket;   /* name of an abstract socket that somebody listens on */
	int shm_key;          /* of a System V segment */
	int pid;              /* of a process */
	int init;             /* pid 1; for a set-up without a pid namespace, whoever started it */
	unsigned pids_limit;  /* what the container was given */
};

extern struct outside outside;

/* The kernel took the call, even if it did not like its arguments. */
static inline bool reached(long r)
{
	return r >= 0 || (errno != EPERM && errno != ENOSYS && errno != EACCES);
}

bool can_open(const char *path, int flags);
/* Text of a small file; empty when it cannot be read. */
const char *text_of(const char *path, char *buf, size_t size);

/* grab.c: waits for a process of a program that is not the container's, and tries to write that program: 1 when it could,
 * 0 when it had the file and could not; says so as well. */
int grab(void);

/* attack_process.c: other processes, pid 1, what was inherited, limits */
bool attack_low_descriptors(void);
bool attack_high_descriptors(void);
bool attack_init_ptrace(void);
bool attack_init_mem(void);
bool attack_init_readv(void);
bool attack_init_environ(void);
bool attack_init_exe(void);
bool attack_init_root(void);
bool attack_init_fds(void);
bool attack_init_pidfd(void);
bool attack_init_settings(void);
bool attack_host_process(void);
bool attack_setuid_program(void);
bool attack_capabilities(void);
bool attack_rlimit(void);
bool attack_realtime(void);
bool attack_nice(void);
bool attack_oom_score(void);
bool attack_fork_bomb(void);
bool attack_shm(void);
bool attack_abstract_socket(void);
bool attack_own_user(void);

/* attack_service.c: sockets of services, and sockets that no filter sees */
bool attack_service_socket(void);
bool attack_engine_sockets(void);
bool attack_buses(void);
bool attack_io_uring_socket(void);

/* attack_files.c: the file system, mounts, devices, /proc and /sys */
bool attack_chroot(void);
bool attack_cwd(void);
bool attack_handle(void);
bool attack_mount(void);
bool attack_remount_root(void);
bool attack_remount_proc(void);
bool attack_umount_masks(void);
bool attack_new_mount_api(void);
bool attack_move_mount(void);
bool attack_pivot_root(void);
bool attack_propagation(void);
bool attack_mknod(void);
bool attack_planted_device(void);
bool attack_devices(void);
bool attack_masks(void);
bool attack_core_pattern(void);
bool attack_sysrq(void);
bool attack_proc_sys(void);
bool attack_binfmt_misc(void);
bool attack_release_agent(void);
bool attack_cgroup_files(void);
bool attack_sysfs(void);
bool attack_inodes(void);

/* attack_network.c: servers of the host, directly and through a proxy */
bool attack_metadata(void);
bool attack_loopback(void);
bool attack_proxy_metadata(void);
bool attack_proxy_socks(void);
bool attack_proxy_loopback(void);
bool attack_proxy_rebinding(void);

/* attack_kernel.c: system calls, doors of the kernel */
bool attack_unshare(void);
bool attack_userns(void);
bool attack_unshare_each(void);
bool attack_clone(void);
bool attack_clone_dirty(void);
bool attack_clone3(void);
bool attack_setns(void);
bool attack_setns_dirty(void);
bool attack_keyring(void);
bool attack_keys_listed(void);
bool attack_tiocsti(void);
bool attack_tiocsti_dirty(void);
bool attack_tioclinux_dirty(void);
bool attack_bpf(void);
bool attack_perf(void);
bool attack_userfaultfd(void);
bool attack_io_uring(void);
bool attack_fanotify(void);
bool attack_i386(void);
bool attack_x32(void);
bool attack_af_alg(void);
bool attack_af_alg_dirty(void);
bool attack_af_vsock(void);
bool attack_af_xdp(void);
bool attack_af_packet(void);
bool attack_netlink_audit(void);
bool attack_net_admin(void);
bool attack_kexec(void);
bool attack_modules(void);
bool attack_reboot(void);
bool attack_swap(void);
bool attack_ports(void);
bool attack_kernel_log(void);
bool attack_personality(void);
bool attack_hostname(void);
bool attack_time(void);
bool attack_ptrace_outside(void);
