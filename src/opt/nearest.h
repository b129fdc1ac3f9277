/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* "did you mean": offer all words that exist, then read the one nearest to what was typed. */
#pragma once

struct nearest {
	const char *typed;
	const char *word; /* the best so far; NULL when nothing is near */
	unsigned distance;
};

void nearest_offer(struct nearest *n, const char *word);
