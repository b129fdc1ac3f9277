/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "sys/kernel.h"

#include <stdint.h>
#include <stdio.h>
#include <sys/utsname.h>

unsigned kernel_version(void)
{
	struct utsname u;
	unsigned major, minor;

	if (uname(&u) < 0 || sscanf(u.release, "%u.%u", &major, &minor) != 2)
		return 0;
	return KERNEL(major, minor < UINT8_MAX ? minor : UINT8_MAX);
}
