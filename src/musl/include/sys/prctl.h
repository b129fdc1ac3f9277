/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* musl's own header cannot be included together with the kernel's. */
#pragma once
#include <linux/prctl.h>

int prctl(int, ...);
