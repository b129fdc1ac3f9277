/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Processes by descriptor.  A number from disk names the process that was meant only when that process started at the
 * noted time (field 22 of /proc/PID/stat, clock ticks after boot); pid_open() is the way from the one to the other.
 * PROC is a descriptor of procfs (sys/procfd.h), or AT_FDCWD for the caller's own /proc.  Nothing allocates.
 */
#pragma once

#include "base/cleanup.h"
#include "base/error.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct pid_stat {
	char comm[64];
	char state; /* 'R', 'S', 'D', 'T', 'Z' ... */
	pid_t pid, parent, group, session;
	uint64_t user_ticks, system_ticks;
	uint64_t children_user_ticks, children_system_ticks; /* of those that were waited for */
	uint64_t start; /* the start time */
	uint64_t ignored; /* signals that are ignored: bit 0 is signal 1 */
};

/* 0, -ESRCH when there is no such process, or another -errno; records nothing. */
int pid_stat(int proc, pid_t pid, struct pid_stat *ret);
/* Of the caller itself, by its own /proc. */
int pid_stat_self(struct pid_stat *ret);
int pid_start_time(int proc, pid_t pid, uint64_t *ret);
/* The same from the text of a stat file: 0 or -EINVAL. */
int pid_stat_parse(const char *text, struct pid_stat *ret);

/* A pidfd of PID if it started at START; -ESRCH when it has ended or is another one by now. */
int pid_open(int proc, pid_t pid, uint64_t start, struct nook_error *e);
/* The same for whom the inode of a pidfd tells (Linux 6.10), which costs half of what a stat file does: never used twice
 * between two boots. */
int pid_open_inode(pid_t pid, uint64_t inode, struct nook_error *e);
/* A pidfd of a process known to be the right one, such as a child not yet waited for. */
int pid_open_child(pid_t pid, struct nook_error *e);
/* -ESRCH when it has ended. */
int pid_signal(int pidfd, int signal, struct nook_error *e);
/* Waits until it has ended, also when it is no child of ours: 0, or -ETIMEDOUT.  TIMEOUT_MS -1: for ever. */
int pid_wait_end(int pidfd, int timeout_ms, struct nook_error *e);
/* Reaps a child: its exit status, 0..255, or 128 + n for a signal. */
int pid_reap(int pidfd, struct nook_error *e);
/* Has it ended?  A zombie has. */
bool pid_has_ended(int pidfd);
