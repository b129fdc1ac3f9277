/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "runtime/idrange.h"

/* Runs JOB in a child that is root of a new user namespace with the maps of RANGE, written by newuidmap(1) and
 * newgidmap(1) where it has more than one id: so an ordinary user reaches files of his subordinate ids.  JOB returns 0 or an errno value below 128;
 * the result is 0 or that, or -errno when the namespace could not be made. */
int mapped_run(const struct idrange *range, int (*job)(const void *data), const void *data, struct nook_error *e);
