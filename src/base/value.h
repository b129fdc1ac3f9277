/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Numbers that may be absent: what option tables and bind tables fill in. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct opt_i64 {
	int64_t value;
	bool set;
};
struct opt_u64 {
	uint64_t value;
	bool set;
};
