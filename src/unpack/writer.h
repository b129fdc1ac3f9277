/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Writes the entries of an archive to disk below one directory.  Knows no archive format: whoever reads one fills in
 * struct entry.  Names, links, ids and times are hostile; everything is looked up inside the root (sys/inroot.h), and
 * the last component of a name is never followed.
 *
 *   - a leading "/" is dropped; ".." as a component is refused; "." components go
 *   - an entry that comes twice replaces the first, except that a directory over a directory merges
 *   - a hard link's target is looked up inside the root, must be there and is no directory; a symbolic link is not followed
 *   - owner first, then xattrs (capabilities), then the mode with its setuid bits, then times; those of directories last
 *   - of xattrs only user.* (without user.overlay.*) and security.capability: the others speak to the kernel of this host
 *
 * With a layer mode, names with the prefix ".wh." become what overlayfs understands: a 0:0 character device, or the
 * xattr that makes a directory opaque.
 */
#pragma once

#include "base/cleanup.h"
#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

enum entry_type { ENTRY_FILE, ENTRY_DIR, ENTRY_SYMLINK, ENTRY_HARDLINK, ENTRY_CHAR, ENTRY_BLOCK, ENTRY_FIFO };

struct entry_xattr {
	const char *name;
	const void *value;
	size_t size;
};

struct entry {
	enum entry_type type;
	const char *name;
	const char *link; /* ENTRY_SYMLINK: the text; ENTRY_HARDLINK: the name of the other entry */
	uint32_t mode;    /* permissions, 07777 */
	int64_t uid, gid;
	int64_t size;     /* ENTRY_FILE: the apparent size */
	int64_t major, minor;
	struct timespec atime, mtime; /* any sign; nanoseconds out of range are set right */
	const struct entry_xattr *xattrs;
	size_t n_xattrs;
};

enum writer_owners {
	WRITER_OWNERS_KEPT, /* as the archive says; needs CAP_CHOWN */
	WRITER_OWNERS_OURS, /* everything belongs to the caller */
};

enum writer_devices {
	WRITER_DEVICES_MADE, /* needs CAP_MKNOD in the initial user namespace */
	WRITER_DEVICES_SKIPPED,
};

enum writer_layer {
	WRITER_LAYER_NONE,    /* ".wh." is a name like any other */
	WRITER_LAYER_TRUSTED, /* trusted.overlay.opaque: for root's overlays; needs CAP_SYS_ADMIN */
	WRITER_LAYER_USER,    /* user.overlay.opaque: for overlays mounted with userxattr */
	WRITER_LAYER_BOTH,    /* both, so that either kind of overlay understands it */
};

struct writer_options {
	enum writer_owners owners;
	enum writer_devices devices;
	enum writer_layer layer;
	uint64_t max_bytes;   /* data written, holes not counted */
	uint64_t max_size;    /* apparent size of one file */
	uint64_t max_entries;
	unsigned max_depth;   /* components of a name */
	const int *lowers;    /* of a layer: directories of the layers below, the topmost first; borrowed */
	size_t n_lowers;
	bool links_skipped;   /* of a layer: a hard link to what is not in it is counted instead of refused */
};

extern const struct writer_options writer_defaults;

/* What was left out, for a note. */
struct writer_skipped {
	uint64_t devices, xattrs;
	uint64_t links; /* hard links to what is not in this layer: it has to be unpacked again with the lower ones at hand */
	char link[NOOK_OBJECT_MAX]; /* the first of them */
};

struct writer;

/* ROOT is borrowed.  The caller's umask must be 0. */
struct writer *writer_new(int root, const struct writer_options *o);
void writer_free(struct writer *w);
CLEANUP_DEFINE(struct writer *, writer_free)

/* Writes one entry.  1: it is a file that takes data by writer_data() until writer_end(); ENTRY must live until then. */
int writer_add(struct writer *w, const struct entry *entry, struct nook_error *e);
/* Data of the file at OFFSET; what is never written is a hole. */
int writer_data(struct writer *w, int64_t offset, const void *data, size_t size, struct nook_error *e);
int writer_end(struct writer *w, struct nook_error *e);
/* After the last entry: modes and times of directories. */
int writer_finish(struct writer *w, struct nook_error *e);
/* How much there was. */
uint64_t writer_bytes(const struct writer *w);
uint64_t writer_entries(const struct writer *w);

struct writer_skipped writer_skipped(const struct writer *w);
