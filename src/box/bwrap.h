/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * bubblewrap's command line, for programs that call bwrap: its options, in their order, become a spec and then a plan as
 * all others do.  A sandbox of bwrap's starts empty and closes only what it is told to close; nothing is added to that.
 *
 * BWRAP_OPTIONS is all of them, in the order of bwrap's help: name, how many arguments, what they are called, help.
 */
#pragma once

#include "base/alloc.h"
#include "base/error.h"
#include "plan/build.h"

#include <stdbool.h>

#define BWRAP_OPTIONS(X)                                                                                              \
	X(HELP, "help", 0, NULL, "print this help")                                                                   \
	X(VERSION, "version", 0, NULL, "print the version of bubblewrap whose options these are")                     \
	X(ARGS, "args", 1, "FD", "read more options from FD, each argument ended by a zero byte")                     \
	X(ARGV0, "argv0", 1, "VALUE", "the command's own name for itself")                                            \
	X(LEVEL_PREFIX, "level-prefix", 0, NULL, "begin each message with its severity, as <3>")                      \
	X(UNSHARE_ALL, "unshare-all", 0, NULL, "new namespaces of every kind")                                        \
	X(SHARE_NET, "share-net", 0, NULL, "with --unshare-all: but keep the network")                                \
	X(UNSHARE_USER, "unshare-user", 0, NULL, "a new user namespace (always, for who is not root)")                \
	X(UNSHARE_USER_TRY, "unshare-user-try", 0, NULL, "the same where it is possible")                             \
	X(UNSHARE_IPC, "unshare-ipc", 0, NULL, "a new ipc namespace")                                                 \
	X(UNSHARE_PID, "unshare-pid", 0, NULL, "a new pid namespace")                                                 \
	X(UNSHARE_NET, "unshare-net", 0, NULL, "a new network namespace, with a loopback device")                     \
	X(UNSHARE_UTS, "unshare-uts", 0, NULL, "a new uts namespace")                                                 \
	X(UNSHARE_CGROUP, "unshare-cgroup", 0, NULL, "a new cgroup namespace")                                        \
	X(UNSHARE_CGROUP_TRY, "unshare-cgroup-try", 0, NULL, "the same where it is possible")                         \
	X(USERNS, "userns", 1, "FD", "join this user namespace")                                                      \
	X(USERNS2, "userns2", 1, "FD", "enter this user namespace once all is made")                                  \
	X(DISABLE_USERNS, "disable-userns", 0, NULL, "no user namespaces inside")                                     \
	X(ASSERT_USERNS_DISABLED, "assert-userns-disabled", 0, NULL, "fail where user namespaces can be made inside") \
	X(PIDNS, "pidns", 1, "FD", "join this pid namespace, or with --unshare-pid make the new one in it")           \
	X(UID, "uid", 1, "UID", "the user inside")                                                                    \
	X(GID, "gid", 1, "GID", "the group inside")                                                                   \
	X(HOSTNAME, "hostname", 1, "NAME", "the host name inside")                                                    \
	X(CHDIR, "chdir", 1, "DIR", "the working directory")                                                          \
	X(CLEARENV, "clearenv", 0, NULL, "unset all variables but PWD")                                               \
	X(SETENV, "setenv", 2, "VAR VALUE", "set a variable")                                                         \
	X(UNSETENV, "unsetenv", 1, "VAR", "unset a variable")                                                         \
	X(LOCK_FILE, "lock-file", 1, "DEST", "hold a lock on DEST while it runs")                                     \
	X(SYNC_FD, "sync-fd", 1, "FD", "keep FD open while it runs")                                                  \
	X(BIND, "bind", 2, "SRC DEST", "show SRC at DEST")                                                            \
	X(BIND_TRY, "bind-try", 2, "SRC DEST", "the same, if there is SRC")                                           \
	X(DEV_BIND, "dev-bind", 2, "SRC DEST", "show SRC at DEST, with device nodes that work")                       \
	X(DEV_BIND_TRY, "dev-bind-try", 2, "SRC DEST", "the same, if there is SRC")                                   \
	X(RO_BIND, "ro-bind", 2, "SRC DEST", "show SRC at DEST, read-only")                                           \
	X(RO_BIND_TRY, "ro-bind-try", 2, "SRC DEST", "the same, if there is SRC")                                     \
	X(BIND_FD, "bind-fd", 2, "FD DEST", "show what FD is at DEST")                                                \
	X(RO_BIND_FD, "ro-bind-fd", 2, "FD DEST", "show what FD is at DEST, read-only")                               \
	X(REMOUNT_RO, "remount-ro", 1, "DEST", "make the mount at DEST read-only, and none below it")                 \
	X(OVERLAY_SRC, "overlay-src", 1, "SRC", "a lower layer of the next overlay, each above the one before")       \
	X(OVERLAY, "overlay", 3, "RWSRC WORKDIR DEST", "layers at DEST, with changes in RWSRC")                       \
	X(TMP_OVERLAY, "tmp-overlay", 1, "DEST", "layers at DEST, with changes that are thrown away")                 \
	X(RO_OVERLAY, "ro-overlay", 1, "DEST", "layers at DEST, read-only")                                           \
	X(EXEC_LABEL, "exec-label", 1, "LABEL", "SELinux label of the command")                                       \
	X(FILE_LABEL, "file-label", 1, "LABEL", "SELinux label of what is mounted")                                   \
	X(PROC, "proc", 1, "DEST", "a new procfs at DEST")                                                            \
	X(DEV, "dev", 1, "DEST", "a new /dev at DEST")                                                                \
	X(TMPFS, "tmpfs", 1, "DEST", "a new tmpfs at DEST")                                                           \
	X(MQUEUE, "mqueue", 1, "DEST", "a new mqueue file system at DEST")                                            \
	X(DIR, "dir", 1, "DEST", "a directory at DEST")                                                               \
	X(FILE, "file", 2, "FD DEST", "a file at DEST with what can be read from FD")                                 \
	X(BIND_DATA, "bind-data", 2, "FD DEST", "the same, as a mount of its own")                                    \
	X(RO_BIND_DATA, "ro-bind-data", 2, "FD DEST", "the same, read-only")                                          \
	X(SYMLINK, "symlink", 2, "SRC DEST", "a symbolic link at DEST that says SRC")                                 \
	X(SECCOMP, "seccomp", 1, "FD", "load the seccomp filter that can be read from FD")                            \
	X(ADD_SECCOMP_FD, "add-seccomp-fd", 1, "FD", "the same; may be given many times")                             \
	X(BLOCK_FD, "block-fd", 1, "FD", "start the command when something can be read from FD")                      \
	X(USERNS_BLOCK_FD, "userns-block-fd", 1, "FD", "go on when something can be read from FD: then the id maps are written") \
	X(INFO_FD, "info-fd", 1, "FD", "write what was started to FD")                                                \
	X(JSON_STATUS_FD, "json-status-fd", 1, "FD", "write what was started, and how it ended, to FD")               \
	X(NEW_SESSION, "new-session", 0, NULL, "a session of its own, away from the terminal")                        \
	X(DIE_WITH_PARENT, "die-with-parent", 0, NULL, "end when who started this ends")                              \
	X(AS_PID_1, "as-pid-1", 0, NULL, "the command is process 1: nobody reaps for it")                             \
	X(CAP_ADD, "cap-add", 1, "CAP", "keep a capability, or ALL")                                                  \
	X(CAP_DROP, "cap-drop", 1, "CAP", "drop a capability, or ALL")                                                \
	X(PERMS, "perms", 1, "OCTAL", "the mode of what the next option makes")                                       \
	X(SIZE, "size", 1, "BYTES", "the size of the next --tmpfs")                                                   \
	X(CHMOD, "chmod", 2, "OCTAL PATH", "change the mode of PATH")

enum bwrap_option {
#define X(id, word, n, value, help) BWRAP_##id,
	BWRAP_OPTIONS(X)
#undef X
		BWRAP_OPTIONS_COUNT
};

struct bwrap {
	struct arena *arena;
	struct spec *spec;
	bool help, version, level_prefix;
	int info_fd, json_fd, userns_block_fd, sync_fd; /* -EBADF: not given */
	bool die_with_parent;
	int *used;                                      /* descriptors that are not the command's */
	size_t n_used;
	struct plan *plan;                              /* of bwrap_compile(), the caller's */
	const char **notes;
};

/* Reads the words of a command line behind "bwrap"; what stands for descriptors is read now. */
int bwrap_parse(struct bwrap *b, int argc, char **argv, struct nook_error *e);
/* KEEP: descriptors that the command inherits. */
int bwrap_compile(struct bwrap *b, const uint32_t *keep, size_t n_keep, struct nook_error *e);
