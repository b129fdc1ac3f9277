/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Programs that keep credentials: docker-credential-NAME with get, store and erase. */
#pragma once

#include "registry/credentials.h"

/* 0, or 1 when the helper knows none for SERVER. */
int credhelper_get(const char *name, const char *server, struct arena *a, struct credentials *ret, struct nook_error *e);
int credhelper_store(const char *name, const char *server, const struct credentials *c, struct nook_error *e);
/* 0, or 1 when there was nothing. */
int credhelper_erase(const char *name, const char *server, struct nook_error *e);
