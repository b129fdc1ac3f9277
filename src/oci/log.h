/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What a caller reads when a command fails: --log FILE gets one line a message, as text or as JSON with the members
 * level, msg and time that engines know, and step, object and errno beside them.  Errors go to stderr too; without a file
 * that is where such an object goes.
 */
#pragma once

#include "base/error.h"

#include <stdbool.h>

enum oci_log_format { OCI_LOG_TEXT, OCI_LOG_JSON };
enum oci_log_level { OCI_LOG_ERROR, OCI_LOG_WARNING, OCI_LOG_DEBUG };

struct oci_log {
	int fd; /* -EBADF: stderr only */
	const char *identity; /* of messages to a logging daemon, or NULL */
	enum oci_log_format format;
	enum oci_log_level level;
};

/* TARGET: a file name ("file:" before it is fine), or "syslog:" or "journald:" with a name; NULL: stderr only. */
int oci_log_open(struct oci_log *log, const char *target, struct nook_error *e);
void oci_log_write(const struct oci_log *log, enum oci_log_level level, const char *message, const struct nook_error *why);
