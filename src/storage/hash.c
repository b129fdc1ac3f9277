/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "storage/hash.h"

#include "base/alloc.h"

#include <openssl/evp.h>

struct hash {
	enum digest_algorithm algorithm;
	EVP_MD_CTX *context;
};

struct hash *hash_new(enum digest_algorithm algorithm)
{
	struct hash *h = xcalloc(1, sizeof(*h));

	h->algorithm = algorithm;
	h->context = EVP_MD_CTX_new();
	hash_restart(h);
	return h;
}

void hash_free(struct hash *h)
{
	if (!h)
		return;
	EVP_MD_CTX_free(h->context);
	free(h);
}

void hash_restart(struct hash *h)
{
	if (!h->context || !EVP_DigestInit_ex(h->context, h->algorithm == DIGEST_SHA512 ? EVP_sha512() : EVP_sha256(), NULL))
		abort();
}

void hash_add(struct hash *h, const void *data, size_t size)
{
	(void)EVP_DigestUpdate(h->context, data, size);
}

void hash_end(struct hash *h, char ret[static DIGEST_TEXT_MAX])
{
	unsigned char bytes[EVP_MAX_MD_SIZE];

	(void)EVP_DigestFinal_ex(h->context, bytes, NULL);
	digest_text(h->algorithm, bytes, ret);
}
