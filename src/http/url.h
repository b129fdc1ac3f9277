/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What must be known of URLs: parsed by libcurl, so that what is judged is what will be fetched. */
#pragma once

#include "base/error.h"

#include <stdbool.h>

/* LOCATION as seen from BASE: absolute, on the heap; NULL when it is no http or https URL. */
char *url_resolve(const char *base, const char *location);
/* Same scheme, host and port. */
bool url_same_origin(const char *a, const char *b);
bool url_is_plain(const char *url); /* http: */
/* 127.0.0.0/8, ::1, localhost and what ends in .localhost. */
bool url_is_loopback(const char *url);
/* "HOST" or "HOST:PORT" as it stands there, on the heap; NULL when it is no name of a directory either. */
char *url_host(const char *url);
/* TEXT with everything but letters, digits and -._~ as %XX, on the heap. */
char *url_escape(const char *text);
