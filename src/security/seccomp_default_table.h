/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * nook's own profile, by name: the one source that people read and change.  seccomp_gen.c turns the names into numbers
 * when nook is built.
 *
 * Everything that is not named is refused with EPERM, numbers newer than the newest one named here with ENOSYS, so that
 * programs fall back to an older call.  A row applies when the container has one of its capabilities or,
 * with ROW_NESTING, when a container manager is to run inside; a row that asks for neither applies always.  Of the rows
 * that apply to a call the last one counts.
 *
 * Never allowed, because each was the way out of somebody's container: keyrings, bpf without CAP_BPF, io_uring,
 * userfaultfd, kexec, swap, nfsservctl and other relics, moving other processes' memory between nodes, and AF_ALG,
 * AF_VSOCK, AF_XDP sockets.
 */
#pragma once

#include "security/caps.h"
#include "security/seccomp_tree.h"

#include <errno.h>
#include <linux/audit.h>
#include <linux/keyctl.h>
#include <linux/netlink.h>
#include <linux/sched.h>
#include <linux/seccomp.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

/* clang-format off: these tables read best as they are laid out. */

/* The kernel reads flags, commands and families as 32-bit numbers, so only these bits are compared: with the high ones
 * set to anything the call means the same. */
#define INT_IS(at, number) {.index = (at), .op = SECCOMP_OP_MASKED_EQ, .value = UINT32_MAX, .value_two = (number)}
#define HAS_NONE(at, bits) {.index = (at), .op = SECCOMP_OP_MASKED_EQ, .value = (bits), .value_two = 0}
#define CHECK(result, ...)                                                                                            \
	{.verdict = (result), .args = (const struct seccomp_arg[]){__VA_ARGS__},                                          \
	 .n_args = sizeof((const struct seccomp_arg[]){__VA_ARGS__}) / sizeof(struct seccomp_arg)}

#define ALLOW SECCOMP_RET_ALLOW
#define REFUSE(number) (SECCOMP_RET_ERRNO | (number))

#define NEW_NAMESPACES                                                                                                \
	(CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNET)
#if defined(__s390__)
enum { CLONE_FLAGS_AT = 1 };
#else
enum { CLONE_FLAGS_AT = 0 };
#endif

/* EAFNOSUPPORT and EPROTONOSUPPORT are what a kernel without the feature says; libraries know how to go on. */
#define SOCKET_FAMILIES                                                                                               \
	CHECK(REFUSE(EAFNOSUPPORT), INT_IS(0, AF_ALG)), CHECK(REFUSE(EAFNOSUPPORT), INT_IS(0, AF_VSOCK)),                 \
		CHECK(REFUSE(EAFNOSUPPORT), INT_IS(0, AF_XDP))

static const struct seccomp_check no_namespaces_clone[] = {
	CHECK(ALLOW, HAS_NONE(CLONE_FLAGS_AT, NEW_NAMESPACES)),
};
static const struct seccomp_check no_namespaces_unshare[] = {
	CHECK(ALLOW, HAS_NONE(0, NEW_NAMESPACES | CLONE_NEWTIME)),
};
static const struct seccomp_check socket_families[] = {SOCKET_FAMILIES};
static const struct seccomp_check socket_no_audit[] = {
	SOCKET_FAMILIES,
	CHECK(REFUSE(EPROTONOSUPPORT), INT_IS(0, AF_NETLINK), INT_IS(2, NETLINK_AUDIT)),
};
/* socketcall(2) keeps the arguments of SYS_SOCKET (1) and SYS_SOCKETPAIR (8) in memory, where no filter sees them. */
static const struct seccomp_check no_hidden_socket[] = {
	CHECK(REFUSE(ENOSYS), INT_IS(0, 1)),
	CHECK(REFUSE(ENOSYS), INT_IS(0, 8)),
};
/* Both put input into a terminal, which may be the one from which the container was started. */
static const struct seccomp_check no_terminal_input[] = {
	CHECK(REFUSE(EPERM), INT_IS(1, TIOCSTI)),
	CHECK(REFUSE(EPERM), INT_IS(1, TIOCLINUX)),
};
/* PER_LINUX, PER_LINUX32, both with UNAME26, and the question which one is set. */
static const struct seccomp_check usual_personality[] = {
	CHECK(ALLOW, INT_IS(0, 0)),
	CHECK(ALLOW, INT_IS(0, 8)),
	CHECK(ALLOW, INT_IS(0, 0x20000)),
	CHECK(ALLOW, INT_IS(0, 0x20008)),
	CHECK(ALLOW, INT_IS(0, 0xffffffff)),
};

/* What a container manager does with keyrings: a new session keyring that only its owner may search. */
static const struct seccomp_check new_keyring[] = {
	CHECK(ALLOW, INT_IS(0, KEYCTL_JOIN_SESSION_KEYRING)),
	CHECK(ALLOW, INT_IS(0, KEYCTL_SETPERM)),
	CHECK(ALLOW, INT_IS(0, KEYCTL_DESCRIBE)),
};

enum { ROW_NESTING = 1 };

struct seccomp_row {
	const char *names; /* separated by single spaces */
	uint64_t caps;
	unsigned flags;
	uint32_t verdict;
	const struct seccomp_check *checks;
	size_t n_checks;
};

#define CHECKS(list) (list), sizeof(list) / sizeof((list)[0])

static const struct seccomp_row default_rows[] = {
	/* Files by name. */
	{"access faccessat faccessat2 open openat openat2 creat name_to_handle_at "
	 "stat stat64 lstat lstat64 fstat fstat64 newfstatat fstatat64 statx oldstat oldlstat oldfstat "
	 "statfs statfs64 fstatfs fstatfs64 "
	 "chmod fchmod fchmodat fchmodat2 chown chown32 lchown lchown32 fchown fchown32 fchownat umask "
	 "link linkat symlink symlinkat unlink unlinkat rename renameat renameat2 readlink readlinkat "
	 "mkdir mkdirat rmdir mknod mknodat chdir fchdir getcwd "
	 "truncate truncate64 ftruncate ftruncate64 utime utimes utimensat utimensat_time64 futimesat "
	 "getxattr lgetxattr fgetxattr setxattr lsetxattr fsetxattr listxattr llistxattr flistxattr "
	 "removexattr lremovexattr fremovexattr getxattrat setxattrat listxattrat removexattrat "
	 "file_getattr file_setattr "
	 "inotify_init inotify_init1 inotify_add_watch inotify_rm_watch fanotify_mark statmount listmount",
	 .verdict = ALLOW},

	/* Open files. */
	{"read readv pread64 preadv preadv2 write writev pwrite64 pwritev pwritev2 lseek _llseek close close_range "
	 "dup dup2 dup3 fcntl fcntl64 flock getdents getdents64 readdir readahead fadvise64 fadvise64_64 arm_fadvise64_64 "
	 "sync syncfs fsync fdatasync sync_file_range sync_file_range2 arm_sync_file_range fallocate cachestat "
	 "sendfile sendfile64 splice tee vmsplice copy_file_range pipe pipe2 "
	 "io_setup io_destroy io_submit io_cancel io_getevents io_pgetevents io_pgetevents_time64 "
	 "memfd_create memfd_secret",
	 .verdict = ALLOW},
	{"ioctl", .verdict = ALLOW, CHECKS(no_terminal_input)},

	/* Waiting for them. */
	{"poll ppoll ppoll_time64 select _newselect pselect6 pselect6_time64 "
	 "epoll_create epoll_create1 epoll_ctl epoll_ctl_old epoll_wait epoll_wait_old epoll_pwait epoll_pwait2 "
	 "eventfd eventfd2 signalfd signalfd4 "
	 "timerfd_create timerfd_settime timerfd_settime64 timerfd_gettime timerfd_gettime64",
	 .verdict = ALLOW},

	/* Memory. */
	{"brk mmap mmap2 munmap mremap mprotect madvise mincore msync remap_file_pages map_shadow_stack mseal "
	 "mlock mlock2 mlockall munlock munlockall pkey_alloc pkey_free pkey_mprotect membarrier process_mrelease",
	 .verdict = ALLOW},

	/* Processes and threads. */
	{"execve execveat exit exit_group fork vfork wait4 waitid waitpid getpid getppid gettid getpgid getpgrp setpgid "
	 "getsid setsid set_tid_address set_robust_list get_robust_list rseq restart_syscall "
	 "futex futex_time64 futex_waitv futex_wake futex_wait futex_requeue "
	 "pidfd_open pidfd_send_signal ptrace process_vm_readv process_vm_writev "
	 "prctl arch_prctl seccomp landlock_create_ruleset landlock_add_rule landlock_restrict_self "
	 "lsm_get_self_attr lsm_list_modules uretprobe uprobe",
	 .verdict = ALLOW},
	{"clone", .verdict = REFUSE(EPERM), CHECKS(no_namespaces_clone)},
	{"unshare", .verdict = REFUSE(EPERM), CHECKS(no_namespaces_unshare)},
	/* Its flags are in memory; with ENOSYS the C libraries use clone(2). */
	{"clone3", .verdict = REFUSE(ENOSYS)},
	{"personality", .verdict = REFUSE(EPERM), CHECKS(usual_personality)},

	/* Identity. */
	{"getuid getuid32 geteuid geteuid32 getgid getgid32 getegid getegid32 getresuid getresuid32 getresgid getresgid32 "
	 "getgroups getgroups32 setuid setuid32 setgid setgid32 setreuid setreuid32 setregid setregid32 "
	 "setresuid setresuid32 setresgid setresgid32 setfsuid setfsuid32 setfsgid setfsgid32 setgroups setgroups32 "
	 "capget capset",
	 .verdict = ALLOW},

	/* Signals. */
	{"kill tkill tgkill pause alarm signal sigaction sigpending sigprocmask sigreturn sigsuspend sigaltstack "
	 "rt_sigaction rt_sigpending rt_sigprocmask rt_sigreturn rt_sigsuspend rt_sigqueueinfo rt_tgsigqueueinfo "
	 "rt_sigtimedwait rt_sigtimedwait_time64",
	 .verdict = ALLOW},

	/* Time. */
	{"time gettimeofday times nanosleep clock_gettime clock_gettime64 clock_getres clock_getres_time64 "
	 "clock_nanosleep clock_nanosleep_time64 adjtimex clock_adjtime clock_adjtime64 getitimer setitimer "
	 "timer_create timer_delete timer_getoverrun timer_gettime timer_gettime64 timer_settime timer_settime64",
	 .verdict = ALLOW},

	/* Scheduling and limits. */
	{"sched_yield sched_getaffinity sched_setaffinity sched_getattr sched_setattr sched_getparam sched_setparam "
	 "sched_getscheduler sched_setscheduler sched_get_priority_max sched_get_priority_min "
	 "sched_rr_get_interval sched_rr_get_interval_time64 nice getpriority setpriority ioprio_get ioprio_set "
	 "getrlimit ugetrlimit setrlimit prlimit64 getrusage getcpu",
	 .verdict = ALLOW},

	/* The machine. */
	{"uname oldolduname olduname sysinfo getrandom", .verdict = ALLOW},

	/* Sockets. */
	{"bind connect listen accept accept4 getsockname getpeername getsockopt setsockopt shutdown "
	 "send sendto sendmsg sendmmsg recv recvfrom recvmsg recvmmsg recvmmsg_time64",
	 .verdict = ALLOW},
	{"socket socketpair", .verdict = ALLOW, CHECKS(socket_no_audit)},
	{"socketcall", .verdict = ALLOW, CHECKS(no_hidden_socket)},

	/* System V and POSIX ipc. */
	{"ipc semget semctl semop semtimedop semtimedop_time64 shmget shmctl shmat shmdt msgget msgctl msgsnd msgrcv "
	 "mq_open mq_unlink mq_notify mq_getsetattr mq_timedsend mq_timedsend_time64 mq_timedreceive "
	 "mq_timedreceive_time64",
	 .verdict = ALLOW},

	/* Calls of single architectures that their C libraries need. */
	{"modify_ldt get_thread_area set_thread_area set_tls get_tls breakpoint cacheflush sync_file_range2 "
	 "swapcontext riscv_flush_icache riscv_hwprobe s390_pci_mmio_read s390_pci_mmio_write s390_runtime_instr "
	 "s390_guarded_storage s390_sthyi sysmips",
	 .verdict = ALLOW},

	/* What a capability was given for. */
	{"chroot", CAPS_BIT(CAP_SYS_CHROOT), ROW_NESTING, ALLOW},
	{"open_by_handle_at", CAPS_BIT(CAP_DAC_READ_SEARCH), 0, ALLOW},
	{"kcmp pidfd_getfd process_madvise", CAPS_BIT(CAP_SYS_PTRACE), ROW_NESTING, ALLOW},
	{"get_mempolicy set_mempolicy set_mempolicy_home_node mbind", CAPS_BIT(CAP_SYS_NICE), 0, ALLOW},
	{"reboot", CAPS_BIT(CAP_SYS_BOOT), ROW_NESTING, ALLOW},
	{"init_module finit_module delete_module", CAPS_BIT(CAP_SYS_MODULE), 0, ALLOW},
	{"acct", CAPS_BIT(CAP_SYS_PACCT), 0, ALLOW},
	{"iopl ioperm", CAPS_BIT(CAP_SYS_RAWIO), 0, ALLOW},
	{"settimeofday stime clock_settime clock_settime64", CAPS_BIT(CAP_SYS_TIME), 0, ALLOW},
	{"vhangup", CAPS_BIT(CAP_SYS_TTY_CONFIG), 0, ALLOW},
	{"syslog", CAPS_BIT(CAP_SYSLOG) | CAPS_BIT(CAP_SYS_ADMIN), 0, ALLOW},
	{"bpf", CAPS_BIT(CAP_BPF) | CAPS_BIT(CAP_SYS_ADMIN), 0, ALLOW},
	{"perf_event_open", CAPS_BIT(CAP_PERFMON) | CAPS_BIT(CAP_SYS_ADMIN), 0, ALLOW},
	{"fanotify_init lookup_dcookie quotactl quotactl_fd", CAPS_BIT(CAP_SYS_ADMIN), 0, ALLOW},
	{"socket socketpair", CAPS_BIT(CAP_AUDIT_WRITE) | CAPS_BIT(CAP_AUDIT_CONTROL) | CAPS_BIT(CAP_AUDIT_READ), 0, ALLOW,
	 CHECKS(socket_families)},

	/* Containers inside this one. */
	{"clone clone3 unshare setns mount umount umount2 mount_setattr move_mount open_tree open_tree_attr fsopen fsconfig "
	 "fsmount fspick sethostname setdomainname",
	 CAPS_BIT(CAP_SYS_ADMIN), ROW_NESTING, ALLOW},
	{"pivot_root", 0, ROW_NESTING, ALLOW},
	{"keyctl", 0, ROW_NESTING, REFUSE(EPERM), CHECKS(new_keyring)},
};

/* clang-format on */

enum { N_DEFAULT_ROWS = sizeof(default_rows) / sizeof(default_rows[0]) };
