/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "transfer/transfer.h"

#include "command/image_options.h"

const struct transfer_command transfer_commands[] = {
	{&cmd_load, NULL, load_run},
	{0},
};
