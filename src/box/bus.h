/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A session bus of which the box sees only the names that its rules give: xdg-dbus-proxy(1) runs beside it.  Its socket is
 * shown in the box; outside it has a name only until the box has started.
 */
#pragma once

#include "base/alloc.h"
#include "base/error.h"

enum { BUS_NAMES_MAX = 16, BUS_NAME_SIZE = 256, BUS_PATH_SIZE = 104 };

/* Flat, for it crosses to nook-shim. */
struct box_bus {
	uint32_t n_names; /* 0: the box has no bus */
	char dir[BUS_PATH_SIZE]; /* where the socket "bus" is made */
	char address[BUS_NAME_SIZE];
	char names[BUS_NAMES_MAX][BUS_NAME_SIZE];
};

struct nook_box;
struct spec;
struct box_helper;

int box_add_dbus(struct nook_box *b, const char *value, struct nook_error *e);
/* Chooses the socket's place and shows it in the box. */
int box_bus_spec(const struct nook_box *b, struct arena *a, struct spec *s, struct box_bus *ret, struct nook_error *e);
/* The variable that tells programs, or NULL. */
const char *box_bus_env(const struct nook_box *b);
/* Starts the proxy and waits until its socket is there; *RET_PIPE is held as long as it runs. */
int box_bus_start(const struct box_bus *bus, struct box_helper *ret, int *ret_pipe, struct nook_error *e);
/* Takes the socket's name away; again is fine. */
void box_bus_hide(const struct box_bus *bus);
