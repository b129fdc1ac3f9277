/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What nook doctor found out.  Each doctor_*() looks at one part of the machine by trying, mostly in a child of its own,
 * and adds what it found; nothing is left behind.  Nothing here fails: what cannot be found out is a finding too.
 */
#pragma once

#include "command/command.h"

enum finding_state {
	FINDING_OK,
	FINDING_LIMITED, /* containers run, but something that they may want is not there */
	FINDING_MISSING, /* containers cannot run */
};

struct finding {
	const char *group;  /* "namespaces" */
	const char *name;   /* "time" */
	enum finding_state state;
	const char *detail; /* what there is, or why there is not */
	const char *fix;    /* what to do about it, one line, or NULL */
};

struct doctor {
	const struct cli *cli;
	struct arena *arena;
	struct finding *items;
	size_t n;
	bool is_root;
	bool has_userns;        /* set by doctor_namespaces() */
	const char *userns_fix; /* why not */
};

/* DETAIL and FIX must live as long as the arena. */
void doctor_add(struct doctor *d, const char *group, const char *name, enum finding_state state, const char *detail,
                const char *fix);
/* Adds the outcome of a trial: R is 0, or -errno of what was tried as STEP.  OTHERWISE says how bad a failure is;
 * FIX is the advice where the thing is absent or the reason unknown. */
void doctor_add_trial(struct doctor *d, const char *group, const char *name, int r, enum step_id step,
                      enum finding_state otherwise, const char *ok_detail, const char *fix);

/* True, and a finding, when there are no user namespaces, which the thing needs. */
bool doctor_lacks_userns(struct doctor *d, const char *group, const char *name, enum finding_state state);

/* Runs TRIAL(ARG) in a child that is killed after some seconds: 0 or -errno, which TRIAL returned. */
int doctor_try(int (*trial)(const void *arg), const void *arg);
/* For trials: new namespaces FLAGS (CLONE_NEW*); with CLONE_NEWUSER the caller becomes user 0 in them. */
int doctor_unshare(int flags);
/* As doctor_unshare(), in a user namespace unless the caller is root. */
int doctor_unshare_as_needed(int flags);

void doctor_kernel(struct doctor *d);
void doctor_namespaces(struct doctor *d);
void doctor_ids(struct doctor *d);
void doctor_cgroups(struct doctor *d);
void doctor_security(struct doctor *d);
void doctor_files(struct doctor *d);
void doctor_network(struct doctor *d);
