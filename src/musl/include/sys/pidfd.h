/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The calls are made by number; the kernel's header cannot be included together with musl's <fcntl.h>. */
#pragma once
