/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Mounts that come and go while a container runs.  The calling process enters the container's mount namespace and stays
 * there: for a program that is about to end. */
#pragma once

#include "base/error.h"
#include "plan/plan.h"

/* Walks a plan of plan_build_mounts(): sources are opened here, then attached below the root of the process PIDFD. */
int mounts_add(const struct plan *p, int pidfd, struct nook_error *e);
/* Detaches what is mounted at the N targets, the last first; links in them are followed inside the container's root only. */
int mounts_remove(const char *const *targets, size_t n, int pidfd, struct nook_error *e);
