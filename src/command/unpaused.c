/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "command/unpaused.h"

void note_unpaused(const struct cli *c, const struct container *container)
{
	if (!container->n_cgroups && container_status(container) == CONTAINER_RUNNING)
		cli_note(c, "%s runs on while its files are read: it has no control groups to pause it by", container->id);
}
