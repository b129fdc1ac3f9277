/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Profiles as JSON: the OCI form (linux.seccomp of config.json) and docker's, which adds conditions to it. */
#pragma once

#include "security/seccomp.h"
#include "json/bind.h"

/* A row for linux.seccomp: {AT(struct spec, seccomp), BIND_CUSTOM, "seccomp", .custom = &seccomp_profile_bind}.
 * Reads and writes the OCI form. */
extern const struct bind_custom seccomp_profile_bind;

/* Reads either form from a parsed document.  Docker's includes and excludes are judged with CAPS, this machine's
 * architecture and the running kernel; what remains of them is a plain OCI profile.  WHERE is the document's path for
 * messages ("linux.seccomp"), or NULL. */
int seccomp_profile_read(struct arena *a, struct json *root, uint64_t caps, struct spec_seccomp *s,
	const char *where, struct nook_error *e);
/* The OCI form as text. */
void seccomp_profile_text(const struct spec_seccomp *s, enum json_style style, struct buf *text);
