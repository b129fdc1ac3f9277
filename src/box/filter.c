/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "box/filter.h"

#include "base/text.h"
#include "box/box.h"
#include "box/observer.h"
#include "box/rule.h"
#include "security/seccomp.h"
#include "security/seccomp_names.h"

#include <linux/seccomp.h>

/* ---- the rule --------------------------------------------------------------------------------------------------------- */

/* For programs that only compute: no sockets, no looking at others, no memory shared by name. */
const char box_strict_calls[] =
	"socket,ptrace,process_vm_readv,process_vm_writev,pidfd_getfd,kcmp,shmget,shmat,msgget,semget,mq_open,personality,chroot,"
	"unshare,setns,mount,umount2,pivot_root,open_tree,open_tree_attr,move_mount,fsopen,mount_setattr,inotify_init1,fanotify_init,"
	"memfd_secret";

static int deny_one(struct nook_box *b, char *word, struct nook_error *e)
{
	/* Names are checked when the filter is made, against this machine's kernel interface. */
	*arena_push(b->arena, &b->denied, &b->n_denied) = word;
	return *word ? 0 : rule_refuse(word, "a system call has a name", e);
}

int box_set_syscalls(struct nook_box *b, const char *value, struct nook_error *e)
{
	const char *names = text_after(value, "deny ");

	if (text_is(value, "default") || text_is(value, "none") || text_is(value, "strict")) {
		b->no_filter = text_is(value, "none");
		b->filter_file = NULL;
		b->n_denied = 0;
		return text_is(value, "strict") ? rule_each_word(b, box_strict_calls, deny_one, e) : 0;
	}
	if (names)
		return rule_each_word(b, names + strspn(names, " "), deny_one, e);
	if (*value == '@' && value[1])
		return rule_path(b, value + 1, &b->filter_file, e);
	return rule_refuse(value, "it is default, strict, none, @FILE or deny NAME,...", e);
}

/* ---- filters ---------------------------------------------------------------------------------------------------------- */

/* A filter that refuses the calls named and lets all others through to the next one. */
static void add_denied(const struct nook_box *b, struct arena *a, struct spec_seccomp *s)
{
	const char **names = NULL;
	struct seccomp_rule *rule;
	size_t n = 0;

	if (!b->n_denied)
		return;
	for (size_t i = 0; i < b->n_denied; i++)
		*arena_push(a, &names, &n) = b->denied[i];
	(void)arena_push(a, &names, &n);
	s->source = SECCOMP_PROFILE;
	s->default_action = SECCOMP_RET_ALLOW;
	rule = arena_push(a, &s->rules, &s->n_rules);
	rule->names = names;
	rule->action = SECCOMP_RET_ERRNO;
	rule->errno_ret = (struct opt_u64){EPERM, true};
}

int box_filter(const struct nook_box *b, struct arena *a, struct spec *spec, struct nook_error *e)
{
	struct spec_seccomp *s = &spec->seccomp;

	for (size_t i = 0; i < b->n_denied; i++)
		if (seccomp_call_find(b->denied[i]) < 0)
			return err_why(e, STEP_SECCOMP, b->denied[i], EINVAL, "there is no system call of this name");
	add_denied(b, a, &spec->seccomp_before);
	if (b->learn)
		observer_filter(a, box_strict_calls, &spec->seccomp_before);
	s->source = b->no_filter ? SECCOMP_NONE : SECCOMP_DEFAULT;
	s->nesting = b->userns;
	if (!b->filter_file)
		return 0;
	*s = (struct spec_seccomp){0};
	return seccomp_profile_load(a, b->filter_file, b->caps, s, e);
}
