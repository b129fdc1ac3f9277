/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The bind tables of config.json, by section. */
#pragma once

#include "json/bind.h"

extern const struct bind process_table[];   /* of struct spec_process */
extern const struct bind resources_table[]; /* of struct spec_resources */

extern const struct bind_word rlimit_words[], scheduler_words[], scheduler_flag_words[], ioprio_words[], propagation_words[],
	memory_policy_words[], memory_policy_flag_words[], device_words[];
