/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "oci/oci.h"

extern const struct oci_command cmd_checkpoint, cmd_create, cmd_delete, cmd_events, cmd_exec, cmd_features, cmd_kill, cmd_list, cmd_mounts, cmd_pause,
	cmd_ps, cmd_restore, cmd_resume, cmd_run, cmd_spec, cmd_start, cmd_state, cmd_update;
