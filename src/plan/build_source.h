/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the steps of the file system share: parameters and attributes of mounts, sources with their ids. */
#pragma once

#include "plan/compile.h"

enum { LAYERS_MAX = 128 };

/* How the ids of a source are mapped: by the container's maps, or by those of MOUNT. */
struct source_ids {
	bool map, recursive;
	const struct spec_mount *mount;
};

/* What a copy of a source is from the beginning. */
struct source_attributes {
	uint64_t attr_set;
	uint32_t propagation; /* MS_* */
};

/* Are ids of sources mapped by the container's maps? */
bool build_maps_sources(const struct build *b);
/* Opens a source and maps its ids; returns the slot.  ATTRIBUTES may be NULL. */
int build_open_source_with(struct build *b, const char *path, unsigned flags, const struct source_ids *ids,
	const struct source_attributes *attributes);
int build_open_source(struct build *b, const char *path, unsigned flags, const struct source_ids *ids);
/* Mounts a disk and maps its ids; returns the slot. */
int build_open_disk(struct build *b, const struct spec_disk *disk, const struct source_ids *ids, struct nook_error *e);
/* A layer of an overlay: a directory or a disk. */
int build_open_layer(struct build *b, const char *path, const struct spec_disk *disk, const struct source_ids *ids,
	struct nook_error *e);
/* A source that is a descriptor of the caller's. */
int build_open_held(struct build *b, const struct spec_mount *m, unsigned flags, const struct source_ids *ids);
/* MOUNT_ATTR_NODEV where device nodes of a source must not work; CLEARED: what the mount clears. */
uint64_t build_no_nodes(const struct build *b, uint64_t cleared);
/* The mount's attributes and propagation. */
void build_attributes(const struct spec_mount *m, struct step *s);
/* PATH_NEW where nobody else can have made TARGET. */
unsigned build_new_name(const struct build *b, const char *target);
/* The host's file system that is shown where one of TYPE cannot be made, or NULL. */
const char *build_bound_instead(const struct build *b, const char *type);
