/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* nook run: capabilities, filters, labels, masks. */
#include "cli/run_options.h"

#include "base/text.h"
#include "security/caps.h"
#include "security/label.h"
#include "security/landlock.h"
#include "security/lsm.h"
#include "security/seccomp.h"

static void set_caps(struct spec *s, uint64_t caps)
{
	s->process.caps[CAPS_BOUNDING] = s->process.caps[CAPS_EFFECTIVE] = s->process.caps[CAPS_PERMITTED] = caps;
}

static int privileged(struct spec *s, uint64_t *caps, struct nook_error *e)
{
	static const struct spec_device_rule any = {true, 'a', -1, -1, DEV_READ | DEV_WRITE | DEV_MKNOD};
	struct caps_own own;

	*caps = CAPS_ALL;
	/* Root of a user namespace of its own has them all there; without one, nobody can give what the caller lacks. */
	if (s->ns[NS_USER].mode == NS_HOST) {
		TRY(caps_own_load(&own, e));
		*caps &= own.permitted & own.bounding;
	}
	s->seccomp.source = SECCOMP_NONE;
	s->process.no_new_privs = false;
	s->masked = NULL;
	s->readonly = NULL;
	*arena_push(s->arena, &s->resources.devices, &s->resources.n_devices) = any;
	return 0;
}

static int flag_value(const char *text, const char *option, bool *ret, struct nook_error *e)
{
	*ret = text_is(text, "") || text_is(text, "true");
	if (!*ret && !text_is(text, "false"))
		return err_fmt(e, STEP_OPTION, "--security-opt", EINVAL, "%s is true or false, not \"%s\"", option, text);
	return 0;
}

static int label(struct cli *c, struct spec *s, const char *text, struct nook_error *e)
{
	struct label l = {s->process.selinux, s->mount_label};
	const char *current = "";

	if (!text_is(text, "disable")) {
		TRY(lsm_check(lsm_active(), NULL, text, e));
		TRY(label_current(c->arena, &current, e));
	}
	TRY(label_option(c->arena, current, text, &l, e));
	s->process.selinux = l.process;
	s->mount_label = l.files;
	return 0;
}

static int security_option(struct cli *c, struct spec *s, const char *text, uint64_t caps, struct nook_error *e)
{
	size_t len = strcspn(text, "=:");
	const char *name = arena_strndup(c->arena, text, len);
	const char *value = text[len] ? text + len + 1 : "";

	if (text_is(name, "seccomp")) {
		if (text_is(value, "unconfined"))
			s->seccomp.source = SECCOMP_NONE;
		else if (!text_is(value, "default"))
			return seccomp_profile_load(c->arena, value, caps, &s->seccomp, e);
	} else if (text_is(name, "apparmor")) {
		s->process.apparmor = value;
	} else if (text_is(name, "label")) {
		return label(c, s, value, e);
	} else if (text_is(name, "no-new-privileges")) {
		return flag_value(value, name, &s->process.no_new_privs, e);
	} else if (text_is(name, "nesting")) {
		s->seccomp.nesting = true;
	} else if (text_is(name, "i386")) {
		s->seccomp.foreign_archs = true;
	} else {
		return err_fmt(e, STEP_OPTION, "--security-opt", EINVAL,
			"\"%s\" is not seccomp, apparmor, label, no-new-privileges, nesting or i386", name);
	}
	return 0;
}

/* Another container manager inside wants to see a whole /proc and /sys, and to change root in mounts of its own. */
static void nesting(struct spec *s, uint64_t *caps)
{
	if (!s->seccomp.nesting)
		return;
	s->masked = NULL;
	s->readonly = NULL;
	*caps |= CAPS_BIT(CAP_SYS_ADMIN) | CAPS_BIT(CAP_NET_ADMIN) | CAPS_BIT(CAP_SYS_RESOURCE) | CAPS_BIT(CAP_SYS_PTRACE) |
		CAPS_BIT(CAP_MKNOD) | CAPS_BIT(CAP_NET_RAW);
}

static bool is_listed(const struct opt_list *list, const char *text)
{
	for (size_t i = 0; i < list->n; i++)
		if (text_is(list->items[i], text) || text_is(list->items[i], "ALL"))
			return true;
	return false;
}

static const char *const *without(struct arena *a, const char *const *paths, const struct opt_list *drop, const struct opt_list *add)
{
	const char **list = NULL;
	size_t n = 0;

	for (; paths && *paths; paths++)
		if (!is_listed(drop, *paths))
			*arena_push(a, &list, &n) = *paths;
	for (size_t i = 0; add && i < add->n; i++)
		*arena_push(a, &list, &n) = add->items[i];
	(void)arena_push(a, &list, &n);
	return list;
}

static int sysctls(struct cli *c, const struct run_options *o, struct spec *s, struct nook_error *e)
{
	for (size_t i = 0; i < o->sysctls.n; i++) {
		const char *text = o->sysctls.items[i], *equals = strchr(text, '=');

		if (!equals || equals == text)
			return err_fmt(e, STEP_OPTION, "--sysctl", EINVAL, "\"%s\" is not NAME=VALUE", text);
		spec_pair_set(s->arena, &s->sysctls, &s->n_sysctls, arena_strndup(c->arena, text, (size_t)(equals - text)), equals + 1);
	}
	return 0;
}

int run_security(struct cli *c, const struct run_options *o, struct spec *s, struct nook_error *e)
{
	uint64_t caps = s->process.caps[CAPS_BOUNDING];

	if (o->privileged)
		TRY(privileged(s, &caps, e));
	TRY(caps_adjust(&caps, (const char *const *)o->cap_add.items, (const char *const *)o->cap_drop.items, e));
	for (size_t i = 0; i < o->security.n; i++)
		TRY(security_option(c, s, o->security.items[i], caps, e));
	nesting(s, &caps);
	set_caps(s, caps);
	if (o->masks.n || o->unmasks.n) {
		s->default_masks = false;
		s->masked = without(c->arena, s->masked, &o->unmasks, &o->masks);
		s->readonly = without(c->arena, s->readonly, &o->unmasks, NULL);
	}
	/* With users of its own a container can make no device nodes, and those in trees of the host do not work (nodev), so
	 * that rules say nothing more unless some were asked for. */
	if (s->ns[NS_USER].mode == NS_PRIVATE && !o->devices.n && !o->device_rules.n)
		s->resources.n_devices = 0;
	if (o->landlock)
		TRY(landlock_parse(c->arena, o->landlock, &s->landlock, e));
	return sysctls(c, o, s, e);
}
