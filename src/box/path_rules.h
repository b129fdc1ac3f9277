/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Rules about files, as box_add() applies them. */
#pragma once

#include "box/box.h"

int box_add_ro(struct nook_box *b, const char *value, struct nook_error *e);
int box_add_rw(struct nook_box *b, const char *value, struct nook_error *e);
int box_add_dev(struct nook_box *b, const char *value, struct nook_error *e);
int box_add_try(struct nook_box *b, const char *value, struct nook_error *e);
int box_add_overlay(struct nook_box *b, const char *value, struct nook_error *e);
int box_add_sock(struct nook_box *b, const char *value, struct nook_error *e);
int box_add_tmp(struct nook_box *b, const char *value, struct nook_error *e);
int box_add_hide(struct nook_box *b, const char *value, struct nook_error *e);
int box_add_put(struct nook_box *b, const char *value, struct nook_error *e);
