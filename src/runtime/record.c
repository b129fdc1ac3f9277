/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "runtime/record.h"

#include "base/fd.h"
#include "base/text.h"
#include "runtime/plan_file.h"
#include "runtime/store.h"

#include <fcntl.h>

enum { PLAN_MAX = 16 << 20 };

static int open_layer(const char *path)
{
	return open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
}

static int copy_plan(int from, int to, struct nook_error *e)
{
	AUTO_VALUE(buf_done) struct buf text = {0};
	int r = file_read(from, PLAN_FILE, PLAN_MAX, &text, e);

	if (r == -ENOENT)
		return 0;
	return r < 0 ? r : file_replace(to, PLAN_FILE, buf_text(&text), text.len, 0600, FILE_SYNC, e);
}

int record_save(int dir, const struct container *c, struct nook_error *e)
{
	for (size_t i = 0; i < c->n_kept; i++) {
		auto_close int layer = strstr(c->kept[i], "/layers/") ? open_layer(c->kept[i]) : -EBADF;

		if (layer < 0)
			continue;
		TRY(copy_plan(dir, layer, e));
		return state_save(layer, c, FILE_NO_SYNC, e);
	}
	return 0;
}

bool record_is_there(const struct store_run *r, const char *layer, const char *id, struct arena *a, struct container *ret)
{
	auto_close int dir = open_layer(layer);

	(void)r;
	if (dir < 0 || state_load(dir, STORE_STATE, id, a, ret) < 0 || ret->damage[0] || ret->creating)
		return false;
	for (size_t i = 0; i < ret->n_kept; i++)
		if (text_is(ret->kept[i], layer))
			return true;
	return false;
}

int record_adopt(struct store_run *r, const char *layer, const struct container *c, struct nook_error *e)
{
	struct container again = *c;
	auto_close int from = open_layer(layer);
	auto_close int dir = from < 0 ? err_sys(e, STEP_STATE, layer) : store_entry_make(r, c->id, e);
	int code;

	if (dir < 0)
		return dir;
	if (again.name[0] && store_name_take(r, again.name, again.id, NULL) < 0)
		again.name = "";
	code = copy_plan(from, dir, e);
	if (code >= 0)
		code = container_save(dir, &again, e);
	if (code < 0)
		(void)store_entry_remove(r, c->id, dir, NULL);
	return code;
}
