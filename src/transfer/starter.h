/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Starts programs for a process that has shut itself in (transfer/walls.h).
 *
 * A child that was made before keeps the rights that the process gave up.  It does two things, with names that it checks
 * itself and nothing else that it is sent: nook-unpack for a directory of the depot's ingest/, and docker-credential-*.
 */
#pragma once

#include "registry/credentials.h"
#include "storage/unpacker.h"

struct starter {
	int control;
	pid_t pid;
	struct unpacker_host unpackers;
	struct credhelper_host helpers;
};

/* ROOT as in struct cli.  Before there are threads; S stays where it is.  Errors: STEP_SPAWN. */
int starter_start(struct starter *s, const char *root, struct nook_error *e);
/* What it started has ended afterwards.  A zeroed one is fine. */
void starter_done(struct starter *s);
