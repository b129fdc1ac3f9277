/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
#include_next <spawn.h>

/* Adds the closing of what is open now, from descriptor FROM on. */
int posix_spawn_file_actions_addclosefrom_np(posix_spawn_file_actions_t *actions, int from);
