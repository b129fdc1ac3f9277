/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * NOTIFY_SOCKET (sd_notify(3)): a container gets a socket of its own, and that it is ready is passed on to the socket of
 * whoever waits for the runtime, with the pid that the host knows.
 */
#pragma once

#include "oci/oci.h"
#include "spec/spec.h"

/* At creation, when NOTIFY_SOCKET is set: a mount and an environment variable; the directory is made by
 * sd_notify_make(). */
void sd_notify_prepare(struct spec *s, const struct store_run *r, const char *id);
int sd_notify_make(int dir, struct nook_error *e);

/* At the start: the socket in the container's directory DIR, to be listened to before the program runs; -ENOENT (nothing
 * recorded) when nobody waits for it. */
int sd_notify_listen(int dir, struct nook_error *e);
/* Waits until the container is ready and passes it on; returns when it has ended, too. */
void sd_notify_wait(int listener, pid_t pid, int pidfd);
/* The same in a process of its own, for who has something else to do. */
void sd_notify_watch(int listener, pid_t pid, int pidfd);
