/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
#include_next <sys/resource.h>

typedef int __rlimit_resource_t;
