/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Are two trees of files the same: kinds, modes, owners, times of files, attributes, content? */
#pragma once

#include "base/error.h"

#include <limits.h>

/* 0: they are; 1: the first difference is at PATH ("." is the top).  Names are looked up below the two directories only and
 * lead through no link. */
int trees_compare(int left, int right, char path[static PATH_MAX], struct nook_error *e);
