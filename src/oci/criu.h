/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * criu(8), driven by its RPC: `criu swrk FD` gets one request over a socket, asks back with notifications, and answers.
 * Numbers of fields and kinds of requests are those of rpc.proto, which CRIU keeps stable.
 */
#pragma once

#include "base/buf.h"
#include "base/error.h"

#include <stdbool.h>
#include <sys/types.h>

enum criu_request { CRIU_DUMP = 1, CRIU_RESTORE = 2, CRIU_PRE_DUMP = 4 };

/* struct criu_opts: fields that are set are appended with pb_put_*() by these numbers. */
enum criu_option {
	CRIU_IMAGES_DIR_FD = 1, CRIU_PID, CRIU_LEAVE_RUNNING, CRIU_EXT_UNIX_SK, CRIU_TCP_ESTABLISHED, CRIU_EVASIVE_DEVICES, CRIU_SHELL_JOB,
	CRIU_FILE_LOCKS, CRIU_LOG_LEVEL, CRIU_LOG_FILE, CRIU_PAGE_SERVER, CRIU_NOTIFY_SCRIPTS, CRIU_ROOT, CRIU_PARENT_IMG, CRIU_TRACK_MEM,
	CRIU_AUTO_DEDUP, CRIU_WORK_DIR_FD, CRIU_LINK_REMAP, CRIU_EXT_MNT = 23, CRIU_MANAGE_CGROUPS = 24, CRIU_RST_SIBLING = 26,
	CRIU_INHERIT_FD = 27, CRIU_MANAGE_CGROUPS_MODE = 34, CRIU_EXTERNAL = 37, CRIU_EMPTY_NS = 38, CRIU_FREEZE_CGROUP = 44, CRIU_TCP_SKIP_IN_FLIGHT = 46,
	CRIU_LAZY_PAGES = 48, CRIU_STATUS_FD = 49, CRIU_ORPHAN_PTS_MASTER = 50, CRIU_CONFIG_FILE = 51, CRIU_TCP_CLOSE = 52,
	CRIU_LSM_PROFILE = 53, CRIU_LSM_MOUNT_CONTEXT = 63, CRIU_NETWORK_LOCK = 64,
};

struct criu {
	const char *program;   /* a path, or a name to be looked for where system programs are */
	const char *log_name;  /* in WORK_DIR: told when it fails */
	int work_dir;
	bool private_mounts;   /* in a mount namespace of its own, in which ROOT_FROM is bound to ROOT_TO (restore) */
	const char *root_from, *root_to;
	/* Called with the pid of criu before it is told anything: to put it into groups. */
	int (*started)(void *data, pid_t pid, struct nook_error *e);
	void *data;
};

struct criu_answer {
	pid_t pid;    /* CRIU_RESTORE: of the restored process, which is our child */
	int terminal; /* the master of its terminal, or -EBADF */
};

/* Runs one request to its end. */
int criu_run(const struct criu *c, enum criu_request request, const struct buf *options, struct criu_answer *ret, struct nook_error *e);
/* "soft", "full", "strict", "ignore" as CRIU counts them; -EINVAL. */
int criu_cgroups_mode(const char *word, struct nook_error *e);
/* {key, value}: a mount that comes from outside. */
void criu_put_mount(struct buf *options, const char *key, const char *value);
/* Descriptor FD of ours becomes what was KEY ("pipe:[123]"). */
void criu_put_inherited(struct buf *options, const char *key, int fd);
