/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "opt/nearest.h"

#include <string.h>

enum { WORD_MAX = 48 };

static unsigned least(unsigned a, unsigned b, unsigned c)
{
	unsigned ab = a < b ? a : b;

	return ab < c ? ab : c;
}

/* Letters to insert, drop, change or swap with their neighbour to make B of A (Damerau, optimal string alignment). */
static unsigned edits(const char *a, size_t a_len, const char *b, size_t b_len)
{
	unsigned rows[3][WORD_MAX + 1];
	unsigned *before = rows[0], *above = rows[1], *row = rows[2];

	for (size_t j = 0; j <= b_len; j++)
		above[j] = before[j] = (unsigned)j;
	for (size_t i = 1; i <= a_len; i++) {
		unsigned *reuse = before;

		row[0] = (unsigned)i;
		for (size_t j = 1; j <= b_len; j++) {
			row[j] = least(above[j] + 1, row[j - 1] + 1, above[j - 1] + (a[i - 1] != b[j - 1]));
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] && before[j - 2] + 1 < row[j])
				row[j] = before[j - 2] + 1;
		}
		before = above;
		above = row;
		row = reuse;
	}
	return above[b_len];
}

void nearest_offer(struct nearest *n, const char *word)
{
	size_t typed_len = strlen(n->typed), word_len = strlen(word);
	unsigned distance;

	if (typed_len < 2 || typed_len > WORD_MAX || word_len > WORD_MAX)
		return;
	/* The beginning of a word is nearer than any misspelling of one. */
	distance = strncmp(n->typed, word, typed_len) == 0 ? 1 : edits(n->typed, typed_len, word, word_len);
	if (distance > 1 + typed_len / 4 || (n->word && distance >= n->distance))
		return;
	n->word = word;
	n->distance = distance;
}
