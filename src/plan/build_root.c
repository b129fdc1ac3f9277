/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The root: a directory, an overlay, an empty tmpfs, a disk. */
#include "plan/build_source.h"

#include "spec/spec_defaults.h"

#include <sys/mount.h>

static int build_overlay(struct build *b, struct nook_error *e)
{
	const struct spec_root *root = &b->spec->root;
	int16_t lowers[LAYERS_MAX];
	size_t n = 0;
	const struct source_ids ids = {.map = build_maps_sources(b)}, below = {.map = ids.map && !root->copied};
	struct step *s;
	int upper = SLOT_NONE;

	lowers[n++] = (int16_t)TRY(build_open_layer(b, root->path, root->disk, &below, e));
	for (const char *const *l = root->lowers; l && *l; l++) {
		if (n == sizeof(lowers) / sizeof(lowers[0]))
			return err_num(e, STEP_ROOT, *l, E2BIG);
		lowers[n++] = (int16_t)build_open_source(b, *l, PATH_ROOT, &below);
	}
	if (root->upper || root->upper_disk)
		upper = TRY(build_open_layer(b, root->upper, root->upper_disk, &ids, e));
	else if (b->userns && !plan_host_has_user_xattr(b->host))
		build_note(b, "this kernel's tmpfs keeps no user.* attributes: a directory removed from a lower layer cannot be made again");
	s = build_step(b, STAGE_BUILD, DO_ROOT_OVERLAY, root->path);
	s->flags = b->userns ? OVERLAY_USERXATTR : 0;
	s->mount.lowers = plan_add_array(b->out, lowers, n, sizeof(lowers[0]));
	s->mount.upper_slot = (int16_t)upper;
	s->mount.params = root->upper_bytes
		? build_params(b, "tmpfs", spec_tmpfs_options(b->arena, "", root->upper_bytes), "mode", "0755")
		: build_params(b, "tmpfs", NULL, "mode", "0755");
	s->mount.source = plan_add_str(b->out, b->spec->mount_label);
	s->mount.rec_attr_set = build_no_nodes(b, 0);
	return 0;
}

/* Hooks that run before pivot_root(2) find the container's mounts where the configuration says that its root is. */
static bool has_early_hooks(const struct spec *s)
{
	return s->n_hooks[HOOK_PRESTART] || s->n_hooks[HOOK_CREATE_RUNTIME] || s->n_hooks[HOOK_CREATE_CONTAINER];
}

int build_root(struct build *b, struct nook_error *e)
{
	const struct spec_root *root = &b->spec->root;
	const struct source_ids ids = {.map = build_maps_sources(b) && !root->copied, .recursive = !root->disk};
	struct step *s;
	int slot;

	switch (root->kind) {
	case ROOT_OVERLAY:
		return build_overlay(b, e);
	case ROOT_TMPFS:
		s = build_step(b, STAGE_BUILD, DO_ROOT_TMPFS, "/");
		s->mount.params = build_params(b, "tmpfs", root->upper_bytes ? spec_tmpfs_options(b->arena, "", root->upper_bytes) : NULL, "mode", "0755");
		s->mount.attr_set = MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV;
		return 0;
	case ROOT_DIR:
		break;
	}
	/* pivot_root(2) wants a root without peers; what it becomes is set behind it. */
	const struct source_attributes attributes = {
		.attr_set = build_no_nodes(b, 0),
		.propagation = MS_REC | (root->propagation & (MS_SHARED | MS_SLAVE) ? MS_SLAVE : MS_PRIVATE),
	};
	bool at_once = !root->disk && plan_host_has_open_tree_attr(b->host);

	slot = root->disk ? TRY(build_open_disk(b, root->disk, &ids, e))
			  : build_open_source_with(b, root->path, PATH_ROOT | PATH_RECURSIVE, &ids, at_once ? &attributes : NULL);
	s = build_step(b, STAGE_BUILD, DO_ROOT_ATTACH, root->path);
	s->slot = (int16_t)slot;
	s->flags = has_early_hooks(b->spec) ? ROOT_IN_PLACE : 0;
	s->mount.source = s->object;
	if (!at_once) {
		s->mount.propagation = attributes.propagation;
		s->mount.rec_attr_set = attributes.attr_set;
	}
	return 0;
}
