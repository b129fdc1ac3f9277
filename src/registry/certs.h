/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * certs.d: what is trusted for one registry, and who the user is to it by certificate.  The first folder that is there
 * counts: ~/.config/containers/certs.d/HOST[:PORT], then the same below /etc/containers and /etc/docker.  In it NAME.crt is
 * an authority, NAME.cert with NAME.key the user's own.
 */
#pragma once

#include "base/alloc.h"
#include "http/http.h"

/* DIR is --cert-dir, looked at instead, or NULL.  Strings of *ret are A's; it stays zero when there is nothing. */
int certs_load(const char *host, const char *dir, struct arena *a, struct http_tls *ret, struct nook_error *e);
