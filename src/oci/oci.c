/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "oci/oci.h"

#include "base/text.h"
#include "oci/log.h"

#include <stdio.h>

__attribute__((format(printf, 3, 0)))
static void log_formatted(const struct oci *o, enum oci_log_level level, const char *fmt, va_list ap)
{
	char message[1024];

	(void)vsnprintf(message, sizeof(message), fmt, ap);
	oci_log_write(o->log, level, message, NULL);
}

void oci_warn(const struct oci *o, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	log_formatted(o, OCI_LOG_WARNING, fmt, ap);
	va_end(ap);
}

void oci_debug(const struct oci *o, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	log_formatted(o, OCI_LOG_DEBUG, fmt, ap);
	va_end(ap);
}

int oci_store(struct oci *o, struct store_run **ret, struct nook_error *e)
{
	return runtime_open(o->root, o->arena, ret, e);
}

int oci_load(struct oci *o, struct store_run *r, const char *id, struct container *ret, struct nook_error *e)
{
	int n;

	TRY(container_id_check(id, e));
	n = container_load(r, id, o->arena, ret, e);
	/* The store also answers to names and to the beginning of an id; the specification knows only ids. */
	if (n == -ENOENT || (n == 0 && !text_is(ret->id, id)))
		return err_why(e, STEP_CONTAINER, id, ENOENT, "container does not exist");
	return n;
}
