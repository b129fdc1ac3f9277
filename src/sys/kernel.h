/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Versions of kernels as numbers that can be compared. */
#pragma once

#define KERNEL(major, minor) ((unsigned)(major) << 16 | (unsigned)(minor) << 8)

/* The running one, or 0 when its release does not begin with a version. */
unsigned kernel_version(void);
