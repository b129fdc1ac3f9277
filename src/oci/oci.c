/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "oci/oci.h"

#include "base/text.h"
#include "oci/log.h"
#include "runtime/store.h"
#include "security/caps.h"

#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>

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

int oci_store(struct oci *o, struct store_run **ret, struct nook_error *e)
{
	AUTO(runtime_close) struct store_run *r = NULL;
	struct stat st;

	TRY(runtime_open(o->root, o->arena, &r, e));
	/* Where XDG_RUNTIME_DIR is a directory that many may write to (/tmp), somebody may have come first: what his states
	 * name would be removed, and killed. */
	if (o->root_is_own && (fstat(runtime_fd(r), &st) < 0 || st.st_uid != geteuid()))
		return err_why(e, STEP_STATE, o->root, EPERM, "it is another user's: set XDG_RUNTIME_DIR, or use --root");
	*ret = take_ptr(&r);
	return 0;
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

uint64_t oci_permitted(void)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[2] = {{0}, {0}};

	if (syscall(SYS_capget, &header, data) < 0)
		return 0;
	return (uint64_t)data[1].permitted << 32 | data[0].permitted;
}

void oci_clamp_caps(const struct oci *o, struct spec_process *p, uint64_t have)
{
	uint64_t missing = p->caps[CAPS_BOUNDING] | p->caps[CAPS_PERMITTED] | p->caps[CAPS_INHERITABLE];

	missing &= ~have;
	if (!p->has_caps || !missing)
		return;
	for (unsigned cap = 0; caps_name(cap); cap++)
		if (missing & CAPS_BIT(cap))
			oci_warn(o, "process.capabilities: %s is left out, the caller does not have it", caps_name(cap));
	for (int set = 0; set < CAPS_SETS; set++)
		p->caps[set] &= have;
}

void oci_terminal_size(struct spec_process *p)
{
	struct winsize size;

	if (!p->terminal || p->rows || p->columns ||
		(ioctl(STDIN_FILENO, TIOCGWINSZ, &size) < 0 && ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) < 0))
		return;
	p->rows = size.ws_row;
	p->columns = size.ws_col;
}
