/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What every unit test includes. */
#pragma once

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>
