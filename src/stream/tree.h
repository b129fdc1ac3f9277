/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Trees of files to and from tar streams.  Whoever owns a tree may change it while it is read or written: each name is
 * looked at once, below the descriptor of its directory, and no symbolic link is followed that nobody asked for.
 */
#pragma once

#include "base/error.h"

#include "stream/owners.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>

/* The tree that DIR/NAME is (NAME NULL: DIR itself, opened for reading), as entries whose names start with AS ("": only
 * what is in it, which must be a directory).  Sockets are left out. */
enum {
	TREE_ONE_FS = 1, /* what is mounted below is empty; not for an overlay, whose files may have other devices than its directories */
	TREE_LAYER = 4,  /* the changes of an overlay: what it marks as hidden becomes ".wh." entries; the top is an entry, too */
	TREE_HOLES = 2,  /* tell tree_read() which files have holes, in a record that other programs do not know */
	TREE_SPARSE = 16, /* files with holes as GNU tar 1.0 writes them, which other programs know; not for tree_read() */
	TREE_TOP = 32,   /* the top is an entry, too */
	TREE_LOWEST = 8, /* with TREE_LAYER: nothing lies below this layer, and so there is nothing to hide */
};
int tree_write(int dir, const char *name, const char *as, unsigned flags, int fd, struct nook_error *e);

/* Attributes that overlayfs and the kernel keep for themselves are no part of a file, and of no stream. */
bool tree_is_private(const char *attribute);

/* Less than all of it: JUDGE is asked about each entry below the top, by its name in the stream.  A directory that is left
 * out is gone through all the same, and what is in it is judged on its own. */
enum tree_verdict {
	TREE_TAKE,
	TREE_EMPTY, /* a regular file without its content */
	TREE_LEAVE_OUT,
};
struct tree_filter {
	enum tree_verdict (*judge)(void *data, const char *name, const struct stat *st);
	/* Or NULL.  Names in FOLDER ("": the top) that what lies below this layer has and this tree has not: the next one from *AT on,
	 * which starts at 0, or NULL. */
	const char *(*missing)(void *data, const char *folder, size_t *at);
	void *data;
	struct owners owners;
};
int tree_write_some(int dir, const char *name, const char *as, unsigned flags, const struct tree_filter *filter, int fd,
	struct nook_error *e);

struct tree_in {
	int root;            /* where names are looked up */
	const char *prefix;  /* put before each name: "" or "a/b/" */
	const char *top;     /* stands for the first component of each name: "new", "" for none, NULL: it stays */
	bool links_inside;   /* links to directories that are there already lead on, as they are seen from ROOT; else they are refused */
	bool keep_owner;     /* owner, set-id bits, attributes and device nodes; else all is the caller's */
	bool keep_top;       /* the directory that the stream starts with ("./") gives ROOT its mode, owner and time */
	/* Called with the type of the first entry; may fill in all of the above.  NULL: it is complete. */
	int (*decide)(struct tree_in *in, bool is_dir, struct nook_error *e);
	void *data;
};
/* Makes what the stream FD has, and reads it to its end.  A file in the way is replaced, a directory is filled. */
int tree_read(struct tree_in *how, int fd, struct nook_error *e);
