/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* System calls and other doors of the kernel. */
#include "escape.h"

#include <fcntl.h>
#include <linux/audit.h>
#include <linux/bpf.h>
#include <linux/io_uring.h>
#include <linux/keyctl.h>
#include <linux/netlink.h>
#include <linux/perf_event.h>
#include <linux/sched.h>
#include <net/if.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/fanotify.h>
#include <sys/io.h>
#include <sys/ioctl.h>
#include <sys/klog.h>
#include <sys/personality.h>
#include <sys/socket.h>
#include <sys/swap.h>
#include <sys/syscall.h>
#include <sys/timex.h>
#include <sys/wait.h>
#include <unistd.h>

/* Bits that the kernel drops when it takes an int out of a register, and a careless filter compares. */
#define DIRTY (UINT64_C(0xdeadbeef) << 32)

enum { X32_BIT = 0x40000000, I386_GETPID = 20, SYSLOG_READ_ALL = 3 };

/* ---- namespaces ---------------------------------------------------------------------------------------------------- */

bool attack_unshare(void)
{
	return unshare(CLONE_NEWNS) == 0;
}

bool attack_userns(void)
{
	return unshare(CLONE_NEWUSER) == 0 || syscall(SYS_unshare, CLONE_NEWUSER | DIRTY) == 0;
}

bool attack_unshare_each(void)
{
	static const int kinds[] = {CLONE_NEWUTS, CLONE_NEWIPC, CLONE_NEWNET, CLONE_NEWPID, CLONE_NEWCGROUP, CLONE_NEWTIME};

	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		if (unshare(kinds[i]) == 0)
			return true;
	return false;
}

/* Ends the process that a clone made: 0 is it itself. */
static bool was_made(long pid)
{
	if (pid == 0)
		_exit(0);
	if (pid > 0)
		(void)waitpid((pid_t)pid, NULL, __WALL);
	return pid > 0;
}

bool attack_clone(void)
{
	return was_made(syscall(SYS_clone, CLONE_NEWNS | SIGCHLD, NULL, NULL, NULL, NULL)) ||
	       was_made(syscall(SYS_clone, CLONE_NEWUSER | SIGCHLD, NULL, NULL, NULL, NULL));
}

bool attack_clone_dirty(void)
{
	return was_made(syscall(SYS_clone, DIRTY | CLONE_NEWNS | SIGCHLD, NULL, NULL, NULL, NULL)) ||
	       was_made(syscall(SYS_clone, DIRTY | CLONE_NEWUSER | SIGCHLD, NULL, NULL, NULL, NULL));
}

bool attack_clone3(void)
{
	struct clone_args ns = {.flags = CLONE_NEWNS, .exit_signal = SIGCHLD};
	struct clone_args user = {.flags = CLONE_NEWUSER, .exit_signal = SIGCHLD};

	return was_made(syscall(SYS_clone3, &ns, sizeof(ns))) || was_made(syscall(SYS_clone3, &user, sizeof(user)));
}

static bool enter(uint64_t dirt)
{
	char path[64];
	int ns, pidfd;

	(void)snprintf(path, sizeof(path), "/proc/%d/ns/mnt", outside.init);
	ns = open(path, O_RDONLY | O_CLOEXEC);
	pidfd = (int)syscall(SYS_pidfd_open, outside.init, 0);
	return (ns >= 0 && syscall(SYS_setns, ns, CLONE_NEWNS | dirt) == 0) ||
	       (pidfd >= 0 && syscall(SYS_setns, pidfd, CLONE_NEWUTS | dirt) == 0);
}

bool attack_setns(void)
{
	return enter(0);
}

bool attack_setns_dirty(void)
{
	return enter(DIRTY);
}

/* ---- keys, terminals ----------------------------------------------------------------------------------------------- */

bool attack_keyring(void)
{
	return syscall(SYS_keyctl, KEYCTL_GET_KEYRING_ID, KEY_SPEC_SESSION_KEYRING, 0) >= 0 ||
	       syscall(SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, NULL) >= 0 ||
	       syscall(SYS_add_key, "user", "escape", "x", 1, KEY_SPEC_PROCESS_KEYRING) >= 0 ||
	       reached(syscall(SYS_request_key, "user", "escape", NULL, KEY_SPEC_PROCESS_KEYRING));
}

bool attack_keys_listed(void)
{
	char text[64];

	return *text_of("/proc/keys", text, sizeof(text)) != 0;
}

/* A terminal of our own, as controlling terminal: what works on it works on the caller's. */
static int terminal(void)
{
	int unlock = 0, master = open("/dev/ptmx", O_RDWR | O_NOCTTY | O_CLOEXEC), slave;

	if (master < 0 || ioctl(master, TIOCSPTLCK, &unlock) < 0)
		return -1;
	slave = ioctl(master, TIOCGPTPEER, O_RDWR | O_NOCTTY);
	(void)setsid();
	(void)ioctl(slave, TIOCSCTTY, 0);
	return slave;
}

bool attack_tiocsti(void)
{
	return ioctl(terminal(), TIOCSTI, "x") == 0;
}

bool attack_tiocsti_dirty(void)
{
	return syscall(SYS_ioctl, terminal(), TIOCSTI | DIRTY, "x") == 0;
}

bool attack_tioclinux_dirty(void)
{
	char subcode = 6;

	/* A pseudo terminal does not know it and says so: the filter did not stop it. */
	return reached(syscall(SYS_ioctl, terminal(), TIOCLINUX, &subcode)) ||
	       reached(syscall(SYS_ioctl, terminal(), TIOCLINUX | DIRTY, &subcode));
}

/* ---- doors to the kernel ------------------------------------------------------------------------------------------- */

bool attack_bpf(void)
{
	union bpf_attr attr = {.map_type = BPF_MAP_TYPE_ARRAY, .key_size = 4, .value_size = 4, .max_entries = 1};

	return syscall(SYS_bpf, BPF_MAP_CREATE, &attr, sizeof(attr)) >= 0;
}

bool attack_perf(void)
{
	struct perf_event_attr attr = {.type = PERF_TYPE_SOFTWARE, .size = sizeof(attr), .config = PERF_COUNT_SW_CPU_CLOCK,
		.exclude_kernel = 1, .exclude_hv = 1};

	return syscall(SYS_perf_event_open, &attr, 0, -1, -1, 0) >= 0;
}

bool attack_userfaultfd(void)
{
	enum { USER_MODE_ONLY = 1 };

	return reached(syscall(SYS_userfaultfd, 0)) || reached(syscall(SYS_userfaultfd, USER_MODE_ONLY)) ||
	       can_open("/dev/userfaultfd", O_RDWR);
}

bool attack_io_uring(void)
{
	struct io_uring_params params = {0};

	return reached(syscall(SYS_io_uring_setup, 1, &params)) || reached(syscall(SYS_io_uring_enter, -1, 0, 0, 0, NULL, 0)) ||
	       reached(syscall(SYS_io_uring_register, -1, 0, NULL, 0));
}

bool attack_fanotify(void)
{
	return fanotify_init(FAN_CLASS_CONTENT, O_RDONLY) >= 0;
}

bool attack_i386(void)
{
#ifdef __x86_64__
	long r;

	/* A kernel without it ends the process, which is no gain. */
	__asm__ volatile("int $0x80" : "=a"(r) : "a"(I386_GETPID) : "memory", "r8", "r9", "r10", "r11");
	return (int)r > 0;
#else
	return false;
#endif
}

bool attack_x32(void)
{
	return syscall(X32_BIT | SYS_getpid) > 0;
}

static bool has_socket(uint64_t family, int type, int protocol)
{
	return syscall(SYS_socket, family, type, protocol) >= 0;
}

bool attack_af_alg(void)
{
	return has_socket(AF_ALG, SOCK_SEQPACKET, 0);
}

bool attack_af_alg_dirty(void)
{
	return has_socket(AF_ALG | DIRTY, SOCK_SEQPACKET, 0);
}

bool attack_af_vsock(void)
{
	return has_socket(AF_VSOCK, SOCK_STREAM, 0) || has_socket(AF_VSOCK | DIRTY, SOCK_STREAM, 0);
}

bool attack_af_xdp(void)
{
	return has_socket(AF_XDP, SOCK_RAW, 0) || has_socket(AF_XDP | DIRTY, SOCK_RAW, 0);
}

bool attack_af_packet(void)
{
	return has_socket(AF_PACKET, SOCK_RAW, 0) || has_socket(AF_INET, SOCK_RAW, 1);
}

bool attack_netlink_audit(void)
{
	return has_socket(AF_NETLINK, SOCK_RAW, NETLINK_AUDIT) || has_socket(AF_NETLINK | DIRTY, SOCK_RAW, NETLINK_AUDIT);
}

bool attack_net_admin(void)
{
	struct ifreq request = {.ifr_name = "lo"};
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	/* Its flags as they are. */
	return fd >= 0 && ioctl(fd, SIOCGIFFLAGS, &request) == 0 && ioctl(fd, SIOCSIFFLAGS, &request) == 0;
}

bool attack_kexec(void)
{
	/* Unloads what nobody loaded. */
	return reached(syscall(SYS_kexec_load, 0, 0, NULL, 0)) || reached(syscall(SYS_kexec_file_load, -1, -1, 0, NULL, 0));
}

bool attack_modules(void)
{
	return reached(syscall(SYS_init_module, NULL, 0, "")) || reached(syscall(SYS_finit_module, -1, "", 0)) ||
	       reached(syscall(SYS_delete_module, "no such module", O_NONBLOCK));
}

bool attack_reboot(void)
{
	/* Magic numbers that no kernel takes. */
	return reached(syscall(SYS_reboot, 0, 0, 0, NULL));
}

bool attack_swap(void)
{
	return reached(swapon("/no/such/file", 0));
}

bool attack_ports(void)
{
#ifdef __x86_64__
	return iopl(3) == 0 || ioperm(0x80, 1, 1) == 0;
#else
	return false;
#endif
}

bool attack_kernel_log(void)
{
	char text[64];

	return klogctl(SYSLOG_READ_ALL, text, sizeof(text)) >= 0;
}

bool attack_personality(void)
{
	return personality(ADDR_NO_RANDOMIZE) >= 0 || personality(READ_IMPLIES_EXEC) >= 0;
}

bool attack_hostname(void)
{
	char name[256];

	/* The one it has. */
	return gethostname(name, sizeof(name)) == 0 && sethostname(name, strlen(name)) == 0;
}

bool attack_time(void)
{
	struct timex t = {0};

	if (adjtimex(&t) < 0)
		return false;
	/* The length of a tick that it has. */
	t.modes = ADJ_TICK;
	return adjtimex(&t) >= 0;
}
