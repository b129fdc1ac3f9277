/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "transfer/walls.h"

#include "base/fd.h"
#include "base/names.h"
#include "security/confine.h"
#include "security/landlock.h"
#include "security/seccomp.h"
#include "transfer/nsswitch.h"

#include <linux/capability.h>
#include <linux/landlock.h>
#include <linux/sched.h>
#include <linux/seccomp.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>

/* ---- files ---------------------------------------------------------------------------------------------------------- */

/* Name lookup (whatever nsswitch.conf names), TLS, what the C library reads; a path that is absent is no matter. */
static const char *const readable[] = {
	"/etc/ca-certificates", "/etc/containers", "/etc/crypto-policies", "/etc/docker", "/etc/gai.conf", "/etc/gnutls", "/etc/host.conf",
	"/etc/hosts", "/etc/ld.so.cache", "/etc/ld.so.preload", "/etc/localtime", "/etc/nsswitch.conf", "/etc/pki", "/etc/protocols",
	"/etc/resolv.conf", "/etc/services", "/etc/ssl", "/etc/static",
	"/usr", "/lib", "/lib32", "/lib64", "/gnu/store", "/nix/store",
	"/run/NetworkManager", "/run/resolvconf", "/run/systemd/resolve", "/var/cache/nscd", "/var/lib/sss/mc",
	"/proc/self", "/proc/sys", "/sys/devices/system/cpu", "/dev/random", "/dev/urandom", "/dev/zero", NULL,
};
static const char *const writable[] = {"/dev/null", "/dev/tty", NULL};
/* Files and directories that OpenSSL, libcurl and resolvers are told of. */
static const char *const variables[] = {
	"CURL_CA_BUNDLE", "HOSTALIASES", "OPENSSL_CONF", "OPENSSL_MODULES", "SSL_CERT_DIR", "SSL_CERT_FILE", "SSLKEYLOGFILE", NULL,
};

#define READ (LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR)
/* A file is written beside another and renamed. */
#define REPLACE (READ | LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_MAKE_REG | LANDLOCK_ACCESS_FS_REMOVE_FILE | 1ULL << 14)

struct fence {
	int rules;
	uint64_t handled;
};

static int allow(const struct fence *f, const char *path, uint64_t rights, struct nook_error *e)
{
	auto_close int fd = path && *path ? open(path, O_PATH | O_CLOEXEC) : -EBADF;

	return fd < 0 ? 0 : landlock_allow(f->rules, fd, rights & f->handled, path, e);
}

static int allow_all(const struct fence *f, const char *const *paths, uint64_t rights, struct nook_error *e)
{
	for (; *paths; paths++)
		TRY(allow(f, *paths, rights, e));
	return 0;
}

/* Certificates may be links to where they are kept. */
static int allow_linked(const struct fence *f, const char *folder, struct arena *a, struct nook_error *e)
{
	const char **names = NULL;
	size_t n = 0;

	if (names_read(AT_FDCWD, folder, a, &names, &n, NULL) < 0)
		return 0;
	for (size_t i = 0; i < n; i++) {
		const char *path = arena_printf(a, "%s/%s", folder, names[i]);
		struct stat st;

		if (lstat(path, &st) == 0 && S_ISLNK(st.st_mode))
			TRY(allow(f, path, READ, e));
	}
	return 0;
}

/* FOLDER and its certs.d/HOST:PORT. */
static int allow_config(const struct fence *f, const char *folder, struct arena *a, struct nook_error *e)
{
	const char *certs = arena_printf(a, "%s/certs.d", folder), **hosts = NULL;
	size_t n = 0;

	TRY(allow(f, folder, READ, e));
	TRY(allow_linked(f, certs, a, e));
	if (names_read(AT_FDCWD, certs, a, &hosts, &n, NULL) < 0)
		return 0;
	for (size_t i = 0; i < n; i++)
		TRY(allow_linked(f, arena_printf(a, "%s/%s", certs, hosts[i]), a, e));
	return 0;
}

static int allow_user(const struct fence *f, const struct walls *w, struct arena *a, struct nook_error *e)
{
	const char *home = getenv("HOME"), *config = getenv("XDG_CONFIG_HOME");

	if (config && *config == '/')
		TRY(allow_config(f, arena_printf(a, "%s/containers", config), a, e));
	else if (home && *home == '/')
		TRY(allow_config(f, arena_printf(a, "%s/.config/containers", home), a, e));
	TRY(allow_config(f, "/etc/containers", a, e));
	TRY(allow_config(f, "/etc/docker", a, e));
	for (const char *const *file = w->auth_files; *file; file++)
		TRY(allow(f, *file, READ, e));
	for (const char *const *name = variables; *name; name++)
		TRY(allow(f, getenv(*name), READ, e));
	if (!w->cert_dir)
		return 0;
	TRY(allow(f, w->cert_dir, READ, e));
	return allow_linked(f, w->cert_dir, a, e);
}

static int fence(const struct walls *w, struct arena *a, const char **ret_missing, struct nook_error *e)
{
	const struct landlock_kernel k = landlock_probe(ret_missing);

	if (!k.abi)
		return 0;
	/* A directory moves from ingest/ to layers/, which no rule allows before ABI 2. */
	if (!(k.fs & LANDLOCK_ACCESS_FS_REFER)) {
		*ret_missing = "this kernel's Landlock refuses to move directories (Linux 5.19)";
		return 0;
	}
	auto_close int rules = TRY(landlock_ruleset(k.fs, k.scopes, e));
	const struct fence f = {.rules = rules, .handled = k.fs};

	TRY(allow_all(&f, readable, READ, e));
	TRY(allow_all(&f, writable, k.fs & ~(uint64_t)LANDLOCK_ACCESS_FS_EXECUTE, e));
	TRY(allow_user(&f, w, a, e));
	TRY(allow(&f, w->images, k.fs & ~(uint64_t)LANDLOCK_ACCESS_FS_EXECUTE, e));
	TRY(allow(&f, w->written_in, REPLACE, e));
	TRY(allow(&f, w->read_from, READ, e));
	return landlock_enforce(rules, e);
}

/* ---- system calls --------------------------------------------------------------------------------------------------- */

static const char *const refused[] = {
	/* programs and other processes */
	"execve", "execveat", "fork", "vfork", "kill", "tkill", "rt_sigqueueinfo", "rt_tgsigqueueinfo", "pidfd_open", "pidfd_getfd",
	"pidfd_send_signal", "ptrace", "process_vm_readv", "process_vm_writev", "process_madvise", "process_mrelease", "kcmp",
	"setpriority", "ioprio_set", "sched_setaffinity", "sched_setattr", "sched_setparam", "sched_setscheduler", "migrate_pages", "move_pages",
	/* what Landlock leaves to the owner of a file, wherever that is; before ABI 3 also its length */
	"chown", "fchown", "fchownat", "lchown", "setxattr", "fsetxattr", "lsetxattr", "removexattr", "fremovexattr", "lremovexattr", "truncate",
	/* mounts, namespaces, roots */
	"mount", "umount2", "move_mount", "open_tree", "open_tree_attr", "fsopen", "fsconfig", "fsmount", "fspick", "mount_setattr",
	"pivot_root", "chroot", "unshare", "setns", "open_by_handle_at", "name_to_handle_at", "mknod", "mknodat",
	/* who is asked for what nobody here needs */
	"accept", "accept4", "listen", "add_key", "keyctl", "request_key", "bpf", "fanotify_init", "io_uring_enter",
	"io_uring_register", "io_uring_setup", "perf_event_open", "personality", "syslog", "userfaultfd", "vmsplice",
	/* the machine */
	"acct", "adjtimex", "clock_adjtime", "clock_settime", "delete_module", "finit_module", "init_module", "ioperm", "iopl",
	"kexec_file_load", "kexec_load", "quotactl", "reboot", "setdomainname", "sethostname", "settimeofday", "swapoff", "swapon", NULL,
};

/* Calls that are refused with these arguments only. */
#define CALL(call) (const char *const[]){call, NULL}
static const struct {
	const char *const *call;
	int errnum;
	struct seccomp_arg when;
} refused_when[] = {
	/* threads only; the flags of clone3 are in memory, and the C library then uses clone(2) */
	{CALL("clone"), EPERM, {0, SECCOMP_OP_MASKED_EQ, CLONE_THREAD, 0}},
	{CALL("clone3"), ENOSYS, {0, SECCOMP_OP_GE, 0, 0}},
	/* limits of others */
	{CALL("prlimit64"), EPERM, {0, SECCOMP_OP_NE, 0, 0}},
	/* signals by way of a file: its owner gets the one that was chosen */
	{CALL("fcntl"), EPERM, {1, SECCOMP_OP_MASKED_EQ, UINT32_MAX, F_SETOWN}},
	{CALL("fcntl"), EPERM, {1, SECCOMP_OP_MASKED_EQ, UINT32_MAX, F_SETOWN_EX}},
	{CALL("fcntl"), EPERM, {1, SECCOMP_OP_MASKED_EQ, UINT32_MAX, F_SETSIG}},
	{CALL("ioctl"), EPERM, {1, SECCOMP_OP_MASKED_EQ, UINT32_MAX, FIOSETOWN}},
	{CALL("ioctl"), EPERM, {1, SECCOMP_OP_MASKED_EQ, UINT32_MAX, SIOCSPGRP}},
	/* words for the shell that reads the terminal next */
	{CALL("ioctl"), EPERM, {1, SECCOMP_OP_MASKED_EQ, UINT32_MAX, TIOCSTI}},
	{CALL("ioctl"), EPERM, {1, SECCOMP_OP_MASKED_EQ, UINT32_MAX, TIOCLINUX}},
	/* Landlock does not judge modes.  Directories are opened to be emptied; set-id bits and rights for others are never given. */
	{CALL("chmod"), EPERM, {1, SECCOMP_OP_NE, 0700, 0}},
	{CALL("fchmodat"), EPERM, {2, SECCOMP_OP_NE, 0700, 0}},
	{CALL("fchmodat2"), EPERM, {2, SECCOMP_OP_NE, 0700, 0}},
	{CALL("fchmod"), EPERM, {1, SECCOMP_OP_MASKED_EQ, S_ISUID, S_ISUID}},
	{CALL("fchmod"), EPERM, {1, SECCOMP_OP_MASKED_EQ, S_ISGID, S_ISGID}},
	{CALL("fchmod"), EPERM, {1, SECCOMP_OP_MASKED_EQ, S_IWGRP, S_IWGRP}},
	{CALL("fchmod"), EPERM, {1, SECCOMP_OP_MASKED_EQ, S_IWOTH, S_IWOTH}},
};
static const char *const socket_only[] = {"socket", NULL};
enum { N_REFUSED_WHEN = sizeof(refused_when) / sizeof(refused_when[0]), FAMILIES = AF_NETLINK };

static void refuse_family(struct seccomp_rule *rules, size_t *n, struct seccomp_arg *when)
{
	rules[(*n)++] = (struct seccomp_rule){.names = socket_only, .action = SECCOMP_RET_ERRNO, .errno_ret = {EAFNOSUPPORT, true}, .args = when,
		.n_args = 1};
}

static bool names_are_asked_of_daemons(void)
{
	enum { TEXT_MAX = 64 << 10 };
	AUTO_VALUE(buf_done) struct buf text = {0};

	return file_read(AT_FDCWD, "/etc/nsswitch.conf", TEXT_MAX, &text, NULL) == 0 && nsswitch_asks_daemons(buf_text(&text));
}

/* Internet and route sockets; those to daemons of this machine, who may do anything, only where names are asked of one. */
static int filter(bool asks_daemons, struct nook_error *e)
{
	struct seccomp_arg args[N_REFUSED_WHEN], family[FAMILIES], above = {0, SECCOMP_OP_GT, AF_NETLINK, 0};
	struct seccomp_rule rules[1 + N_REFUSED_WHEN + FAMILIES + 1] = {
		{.names = refused, .action = SECCOMP_RET_ERRNO, .errno_ret = {EPERM, true}},
	};
	size_t n = 1;

	for (size_t i = 0; i < N_REFUSED_WHEN; i++) {
		args[i] = refused_when[i].when;
		rules[n++] = (struct seccomp_rule){.names = refused_when[i].call, .action = SECCOMP_RET_ERRNO,
			.errno_ret = {(uint32_t)refused_when[i].errnum, true}, .args = &args[i], .n_args = 1};
	}
	for (unsigned i = 0; i < FAMILIES; i++) {
		if (i == AF_INET || i == AF_INET6 || (i == AF_UNIX && asks_daemons))
			continue;
		family[i] = (struct seccomp_arg){0, SECCOMP_OP_EQ, i, 0};
		refuse_family(rules, &n, &family[i]);
	}
	refuse_family(rules, &n, &above);
	return confine_without(rules, n, e);
}

/* ---- public --------------------------------------------------------------------------------------------------------- */

int walls_raise(const struct walls *w, struct arena *a, const char **ret_missing, struct nook_error *e)
{
	/* Trees of layers that were cut off are removed, whoever their files belong to. */
	const uint64_t keep = 1ULL << CAP_DAC_OVERRIDE | 1ULL << CAP_FOWNER;

	*ret_missing = NULL;
	TRY(confine_start(keep, e));
	TRY(fence(w, a, ret_missing, e));
	return filter(names_are_asked_of_daemons(), e);
}
