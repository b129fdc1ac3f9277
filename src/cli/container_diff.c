/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cli/container_diff.h"

#include "base/fd.h"
#include "runtime/upper.h"
#include "storage/merge.h"

#include <sched.h>
#include <stdio.h>

/* An ordinary user is root of a namespace of his own for as long as this process lives: only so can he mount. */
static int become_mounter(struct nook_error *e)
{
	const unsigned uid = geteuid(), gid = getegid();
	char line[48];

	if (uid == 0)
		return 0;
	if (unshare(CLONE_NEWUSER | CLONE_NEWNS) < 0)
		return err_sys(e, STEP_NAMESPACE, "user");
	(void)snprintf(line, sizeof(line), "0 %u 1", uid);
	TRY(file_write(AT_FDCWD, "/proc/self/setgroups", "deny", STEP_IDMAP, e));
	TRY(file_write(AT_FDCWD, "/proc/self/uid_map", line, STEP_IDMAP, e));
	(void)snprintf(line, sizeof(line), "0 %u 1", gid);
	return file_write(AT_FDCWD, "/proc/self/gid_map", line, STEP_IDMAP, e);
}

int container_diff_open(struct cli *c, const struct container *container, int *ret_upper, int *ret_original, struct nook_error *e)
{
	const char *digest = container_annotation(container, ANNOTATION_IMAGE);
	AUTO(depot_close) struct depot *d = NULL;
	AUTO_VALUE(upper_done) struct upper upper = UPPER_INIT;
	struct image image;

	if (!digest)
		return err_why(e, STEP_CONTAINER, container->id, EINVAL, "was not made of an image, which it could be compared with");
	TRY(upper_open(container, c->arena, &upper, e));
	if (TRY(depot_open(c->root, DEPOT_READ, c->arena, &d, e)))
		return err_why(e, STEP_IMAGE, digest, ENOENT, "there is no such image");
	TRY(image_find(d, digest, c->arena, &image, NULL, e));
	depot_db_close(d);
	if (image.n_layers > 1)
		TRY(become_mounter(e));
	*ret_original = TRY(image_merge(&image, e));
	*ret_upper = take_fd(&upper.dir);
	return 0;
}
