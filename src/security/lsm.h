/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Linux security modules: which ones are active, and labels for the program that is about to be executed. */
#pragma once

#include "base/error.h"

#include <stdbool.h>

enum lsm {
	LSM_APPARMOR,
	LSM_BPF,
	LSM_IPE,
	LSM_LANDLOCK,
	LSM_LOADPIN,
	LSM_LOCKDOWN,
	LSM_SAFESETID,
	LSM_SELINUX,
	LSM_SMACK,
	LSM_TOMOYO,
	LSM_YAMA,
	LSM_COUNT,
};

/* "apparmor": as the kernel spells it. */
extern const char *const lsm_names[LSM_COUNT];

/* The active ones as a mask of 1 << LSM_*: from lsm_list_modules(2), else securityfs, else what /sys and /proc show. */
unsigned lsm_active(void);
/* An error when a label is asked for (not NULL) whose module is not among ACTIVE; AppArmor's "unconfined" is what a
 * kernel without it does anyway. */
int lsm_check(unsigned active, const char *apparmor, const char *selinux, struct nook_error *e);

/* The rest allocates nothing and is for the child of clone().  PROC is a verified descriptor of /proc (sys/procfd.h);
 * nothing that is mounted over its files is written to. */

/* The next execve(2) of this thread enters the AppArmor profile. */
int lsm_apparmor_exec(int proc, const char *profile, struct nook_error *e);
/* The next execve(2), or keys made by this thread, get the SELinux label. */
int lsm_selinux_exec(int proc, const char *label, struct nook_error *e);
int lsm_selinux_keys(int proc, const char *label, struct nook_error *e);
