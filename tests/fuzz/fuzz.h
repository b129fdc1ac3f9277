/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What fuzz targets share; how they are built and replayed stands in meson.build. */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What must hold for every input; not assert(), which a release build may leave out. */
#define MUST(claim)              \
	do {                     \
		if (!(claim))    \
			abort(); \
	} while (0)
