/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "sys/keyring.h"

#include <linux/keyctl.h>
#include <sys/syscall.h>
#include <unistd.h>

/* keyring permissions as the kernel gives a session keyring, and search for the user: what joining by name asks for.
 * Possessor: all six; user: view, read, search, link. */
#define NAMED_RIGHTS 0x3f1b0000UL

int keyring_join(const char *name, struct nook_error *e)
{
	if (syscall(SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, name, 0, 0, 0) < 0)
		return errno == ENOSYS ? 0 : err_sys(e, STEP_KEYRING, name ? name : "session keyring");
	return 0;
}

int keyring_share(const char *name, struct nook_error *e)
{
	/* EACCES: it was there already and is not ours to change. */
	if (syscall(SYS_keyctl, KEYCTL_SETPERM, KEY_SPEC_SESSION_KEYRING, NAMED_RIGHTS, 0, 0) < 0 && errno != EACCES && errno != ENOSYS)
		return err_sys(e, STEP_KEYRING, name);
	return 0;
}
