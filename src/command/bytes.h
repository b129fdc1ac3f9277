/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "base/alloc.h"

/* "0 B", "1.5 MB", "346 MB": powers of 1000, as docker and podman show sizes of images. */
const char *bytes_text(uint64_t bytes, struct arena *a);
