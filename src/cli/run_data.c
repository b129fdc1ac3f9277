/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cli/run.h"

#include "cli/run_copy.h"
#include "cli/run_extract.h"
#include "disk/disk.h"
#include "runtime/copied.h"
#include "runtime/snapshot.h"
#include "runtime/tar.h"

/* Until the container is removed, else until it has ended: a layer, and what lies below it. */
static bool is_kept(const struct run *r)
{
	return r->storage.kind == STORAGE_DIR || r->storage.kind == STORAGE_DISK;
}

/* Do the files of a copy belong to the host ids that stand behind the container's? */
static bool is_mapped(const struct run *r)
{
	return r->spec->ns[NS_USER].mode == NS_PRIVATE && r->host.privileged;
}

static const char *own_path(struct run *r, enum data_kind kind)
{
	struct arena *a = r->cli->arena;
	const char *path = data_path(r->store, r->cli->root, kind, r->state.id, a);

	if (is_kept(r))
		*arena_push(a, &r->state.kept, &r->state.n_kept) = path;
	else
		*arena_push(a, &r->state.paths, &r->state.n_paths) = path;
	return path;
}

void run_data_use_tar(struct run *r)
{
	r->source.unpacked = own_path(r, DATA_UNPACKED);
}

/* The image's files are this container's own, then, and what it changes is changed in them. */
void run_data_use_copy(struct run *r)
{
	struct arena *a = r->cli->arena;
	struct spec *s = r->spec;

	s->root.path = r->copied = own_path(r, DATA_UNPACKED);
	s->root.lowers = NULL;
	s->root.copied = true;
	if (!r->options->overlay && r->storage.kind != STORAGE_DISK && r->storage.kind != STORAGE_MEMORY)
		s->root.kind = ROOT_DIR;
	if (is_kept(r) && s->root.kind == ROOT_DIR)
		*arena_push(a, &r->state.kept, &r->state.n_kept) = snapshot_home(r->store, r->cli->root, r->state.id, a);
	spec_pair_set(s->arena, &s->annotations, &s->n_annotations, ANNOTATION_COPY, is_mapped(r) ? COPY_MAPPED : COPY_AS_IT_IS);
}

int run_data_copy(struct run *r, struct nook_error *e)
{
	const struct spec *s = r->spec;
	const struct idrange range = {.uid_maps = s->uid_maps, .n_uid_maps = s->n_uid_maps, .gid_maps = s->gid_maps, .n_gid_maps = s->n_gid_maps};

	if (!r->copied)
		return 0;
	r->data[DATA_UNPACKED] = TRY(data_make(r->copied, e));
	return run_copy(r->image, r->data[DATA_UNPACKED], is_mapped(r) ? &range : NULL, e);
}

/* tar: into a root of this container alone, which its state already names. */
int run_data_unpack(struct run *r, struct nook_error *e)
{
	if (r->source.kind != SOURCE_TAR)
		return 0;
	r->data[DATA_UNPACKED] = TRY(data_make(r->source.unpacked, e));
	if (r->source.extracted >= 0)
		return run_extract(r->cli, r->source.path, (enum fsimage_type)r->source.extracted, r->source.unpacked, e);
	return tar_unpack(r->source.path, r->data[DATA_UNPACKED], e);
}

/* The layer is a directory or a disk that stays until the container is removed; or in memory, and gone when it has ended.
 * A kernel whose tmpfs has no user.* attributes cannot keep an overlay's marks in memory: a directory then. */
void run_data_layer(struct run *r)
{
	struct spec *s = r->spec;
	struct arena *a = r->cli->arena;

	if (s->root.kind != ROOT_OVERLAY || s->root.upper || s->root.upper_disk)
		return;
	s->root.upper_bytes = r->storage.bytes;
	if (!is_kept(r) && (s->ns[NS_USER].mode == NS_HOST || plan_host_has_user_xattr(&r->host)))
		return;
	r->layer = own_path(r, DATA_LAYER);
	if (is_kept(r))
		*arena_push(a, &r->state.kept, &r->state.n_kept) = snapshot_home(r->store, r->cli->root, r->state.id, a);
	if (r->storage.kind == STORAGE_DISK) {
		struct spec_disk *disk = arena_new_of(a, struct spec_disk);

		*disk = (struct spec_disk){arena_printf(a, "%s/" DATA_DISK, r->layer), fsimage_names[r->storage.fs], false};
		s->root.upper_disk = disk;
	} else {
		s->root.upper = r->layer;
	}
}

int run_data_layer_make(struct run *r, struct nook_error *e)
{
	const struct disk_new n = {.bytes = r->storage.bytes, .type = r->storage.fs};

	if (!r->layer)
		return 0;
	r->data[DATA_LAYER] = TRY(data_make(r->layer, e));
	return r->storage.kind == STORAGE_DISK ? disk_create(r->spec->root.upper_disk->path, &n, e) : 0;
}
