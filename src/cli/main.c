/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/error.h"

#include <stdio.h>

int main(void)
{
	(void)puts("nook " NOOK_VERSION);
	return 0;
}
