/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A layer compared with what its blob unpacks to. */
#include "base/text.h"
#include "storage/blob.h"
#include "storage/compare.h"
#include "storage/image.h"
#include "storage/layer.h"
#include "storage/unpacker.h"

#include <stdio.h>
#include <sys/file.h>

/* The layer's directory and the new one change places under the exclusive lock, and the old one goes. */
static int replace(struct depot *d, struct unpacker *u, const char *key, struct nook_error *e)
{
	char path[LAYER_PATH_MAX];

	layer_path(key, path);
	auto_close int fd = openat(d->fd, path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	if (fd < 0)
		return err_sys(e, STEP_IMAGE, path);
	if (flock(fd, LOCK_EX | LOCK_NB) < 0)
		return err_why(e, STEP_LOCK, key, EBUSY, "the layer was changed, and a container runs on it: end it, then repair");
	return renameat2(d->fd, unpacker_dir(u), d->fd, path, RENAME_EXCHANGE) < 0 ? err_sys(e, STEP_IMAGE, path) : 0;
}

int image_check_layer(struct depot *d, const struct image *i, size_t nth, enum layer_repair repair, char path[static PATH_MAX],
	struct nook_error *e)
{
	AUTO(arena_free) struct arena *a = arena_new();
	AUTO(unpacker_free) struct unpacker *u = NULL;
	/* i->layers has the topmost first. */
	const char *const *own = &i->layers[i->n_layers - 1 - nth];
	const char *key = strrchr(*own, '/') + 1;
	struct layer_facts facts = {0};
	struct manifest m = {0};

	TRY(image_manifest(d, i, a, &m, e));
	if (nth >= m.n_layers)
		return err_num(e, STEP_IMAGE, i->digest, EPROTO);
	auto_close int blob = TRY(blob_open(d, m.layers[nth].digest, NULL, e));

	/* A layer of copies from below is kept under a key of its own, and made with what is below. */
	TRY(unpacker_start(d, &(struct unpacker_want){.blob = blob, .what = m.layers[nth].digest,
		.lowers = text_after(key, "chain-") ? own + 1 : NULL}, &u, e));
	if (TRY(unpacker_finish(u, &facts, e)) == 1)
		return 1;
	auto_close int fresh = openat(d->fd, unpacker_dir(u), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	if (fresh < 0)
		return err_sys(e, STEP_IMAGE, key);
	{
		auto_close int kept = TRY(layer_open(d, key, e));

		if (TRY(trees_compare(kept, fresh, path, e)) == 0)
			return 0;
	}
	if (repair == LAYER_REPAIRED)
		TRY(replace(d, u, key, e));
	return 1;
}
