/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Masked and read-only paths. */
#include "plan/build_source.h"

#include "base/text.h"

#include <ctype.h>
#include <string.h>
#include <sys/mount.h>

/* Masked paths that are directories wherever they exist; the slash tells the walker. */
static const char *mask_word(struct build *b, const char *path)
{
	static const char *const directories[] = {
		"acpi", "asound", "scsi", "devices/virtual/dmi/id", "devices/virtual/powercap", "firmware", "kernel/debug",
		"kernel/security", "kernel/tracing",
	};

	for (size_t i = 0; i < sizeof(directories) / sizeof(directories[0]); i++)
		if (text_is(directories[i], path))
			return arena_printf(b->arena, "%s/", path);
	return path;
}

/* Has BASE a new file system of its own that can be written, with nothing mounted in it? */
static bool is_bare(const struct build *b, const char *base)
{
	bool bare = false;

	for (size_t i = 0; i < b->spec->n_mounts; i++) {
		const struct spec_mount *m = &b->spec->mounts[i];
		const char *rest = text_after(m->target, base);

		if (rest && *rest == '/')
			return false;
		if (rest && !*rest)
			bare = m->type && text_is(m->type, "proc") && !build_bound_instead(b, "proc") &&
			       !((m->words.set | m->words.rec_set) & MOUNT_ATTR_RDONLY);
	}
	return bare;
}

/* With ids of its own, none of them the host's root, a container has no way into what that root alone may open (mode 0400
 * or 0200); and directories of sysfs that others are mounted on are empty in a new one.  A default need not cover them. */
static bool is_out_of_reach(const struct build *b, const char *path)
{
	static const char *const of_root[] = {
		"/proc/kcore", "/proc/kmsg", "/proc/kpagecgroup", "/proc/kpagecount", "/proc/kpageflags", "/proc/pagetypeinfo",
		"/proc/slabinfo", "/proc/sysrq-trigger", "/proc/timer_list", "/proc/vmallocinfo",
	};
	static const char *const mount_points[] = {"/sys/kernel/debug", "/sys/kernel/security", "/sys/kernel/tracing"};

	for (size_t i = 0; b->without_root && i < sizeof(of_root) / sizeof(of_root[0]); i++)
		if (text_is(of_root[i], path))
			return true;
	for (size_t i = 0; b->fresh_sys && i < sizeof(mount_points) / sizeof(mount_points[0]); i++)
		if (text_is(mount_points[i], path))
			return true;
	return false;
}

/* The rest of PATH below BASE ("/proc/"), where the kernel alone has made each name.  Not one that begins anew, goes up
 * or is a process's, whose links lead anywhere: such a path is looked up as any other, below the container's root. */
static const char *kernels_name(const char *path, const char *base)
{
	const char *rest = text_after(path, base);

	if (!rest || !*rest || *rest == '/' || *rest == '.' || strstr(path, "/.."))
		return NULL;
	return isdigit((unsigned char)*rest) || text_after(rest, "self") || text_after(rest, "thread-self") ? NULL : rest;
}

/* Paths below BASE, relative to it, in one step; with BASE "/" those that are below neither /proc nor /sys. */
static void mask_below(struct build *b, enum step_kind kind, const char *const *paths, const char *base)
{
	const char **list = NULL;
	size_t n = 0;
	struct step *s;
	struct refs refs;

	for (const char *const *p = paths; p && *p; p++) {
		const char *in_proc = kernels_name(*p, "/proc/"), *in_sys = kernels_name(*p, "/sys/");
		const char *rest = text_is(base, "/proc") ? in_proc : text_is(base, "/sys") ? in_sys : in_proc || in_sys ? NULL : *p;

		if (rest && !(b->spec->default_masks && is_out_of_reach(b, *p)))
			*arena_push(b->arena, &list, &n) = kind == DO_MASK ? mask_word(b, rest) : rest;
	}
	if (!n)
		return;
	(void)arena_push(b->arena, &list, &n);
	refs = plan_add_strs(b->out, list);
	s = build_step(b, STAGE_BUILD, kind, base);
	s->flags = kind == DO_READONLY && is_bare(b, base) ? READONLY_BARE : 0;
	s->mask.base = s->object;
	s->mask.paths = refs;
}

void build_masks(struct build *b)
{
	static const char *const bases[] = {"/proc", "/sys", "/"};

	for (size_t i = 0; i < 3; i++) {
		/* Read-only first: a mask below a read-only directory must not be covered by it. */
		mask_below(b, DO_READONLY, b->spec->readonly, bases[i]);
		mask_below(b, DO_MASK, b->spec->masked, bases[i]);
	}
}
