/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "oci/notify.h"

#include "oci/sockets.h"
#include "oci/state.h"
#include "runtime/plan_file.h"
#include "sys/pid.h"

#include <signal.h>

static const struct step *filter_with_listener(const struct plan *p)
{
	for (uint32_t i = 0; i < p->n_steps; i++)
		if (p->steps[i].kind == DO_SECCOMP && p->steps[i].seccomp.listener.at)
			return &p->steps[i];
	return NULL;
}

static int send(const struct notify *n, const struct plan *p, pid_t pid, int listener, struct nook_error *e)
{
	static const char *const fds[] = {"seccompFd", NULL};
	const struct step *s = filter_with_listener(p);
	AUTO_VALUE(buf_done) struct buf text = {0};
	struct json_out o = {.text = &text, .style = JSON_PLAIN};
	struct container c = *n->container;

	if (!s)
		return err_why(e, STEP_SECCOMP, "listener", EINVAL, "the plan names no agent");
	if (!c.pid)
		c.pid = pid;
	json_out_object(&o, NULL);
	json_out_string(&o, "ociVersion", oci_version_of(&c));
	json_out_strings(&o, "fds", fds);
	json_out_i64(&o, "pid", pid);
	if (s->seccomp.metadata.at)
		json_out_string(&o, "metadata", plan_str(p, s->seccomp.metadata));
	oci_state_member(&o, "state", &c, n->status);
	json_out_object_end(&o);
	return oci_send_listener(plan_str(p, s->seccomp.listener), listener, buf_text(&text), e);
}

int notify_send(void *notify, pid_t pid, int listener, struct nook_error *e)
{
	const struct notify *n = notify;
	const struct plan *p = n->plan;
	int r = p ? 0 : plan_load(n->store, n->container->id, n->oci->arena, &p, e);

	if (r == 0)
		r = send(n, p, pid, listener, e);
	if (r < 0 && n->pidfd >= 0)
		(void)pid_signal(n->pidfd, SIGKILL, NULL);
	return r;
}

int notify_check(const struct spec *s, struct nook_error *e)
{
	const char *path = s->seccomp.listener_path;

	return path && *path ? oci_check_socket(path, "linux.seccomp.listenerPath", e) : 0;
}
