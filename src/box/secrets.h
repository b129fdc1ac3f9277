/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Where secrets lie on a machine; both lists end with NULL. */
#pragma once

/* In what a box sees by default (box_view_dirs).  Most cannot be read by an ordinary user anyway. */
extern const char *const secrets_system[];
/* Below a home, relative to it. */
extern const char *const secrets_home[];
