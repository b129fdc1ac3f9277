/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The layer of a container that keeps all its files (runtime/copied.h): how they differ from those of its image. */
#pragma once

#include "runtime/upper.h"
#include "storage/image.h"
#include "transfer/layertar.h"

struct copylayer {
	const struct image *image;
	const struct upper *upper;
};
/* For layertar_run(); DATA is a struct copylayer. */
int copylayer_write(const void *data, int out, struct nook_error *e);
