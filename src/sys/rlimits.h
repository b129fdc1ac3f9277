/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The names of resource limits: getrlimit(2), and docker's --ulimit. */
#pragma once

/* "nofile" for RLIMIT_NOFILE; NULL when unknown. */
const char *rlimit_name(int resource);
/* From "nofile", "NOFILE" or "RLIMIT_NOFILE"; -1 when unknown. */
int rlimit_find(const char *name);
