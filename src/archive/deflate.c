/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "archive/deflate.h"

#include "base/alloc.h"
#include "base/fd.h"

#ifdef NOOK_ISAL
#include <isa-l/igzip_lib.h>
#else
#include <zlib.h>
#endif
#include <openssl/evp.h>
#include <stdlib.h>
#include <zstd.h>

enum { OUT_SIZE = 256 << 10, ZSTD_LEVEL = 3, DIGEST_BYTES = 32 };

struct deflate {
	enum compression how;
	int out;
	uint64_t size;
	EVP_MD_CTX *hash;
	ZSTD_CCtx *zstd;
#ifdef NOOK_ISAL
	struct isal_zstream gzip;
	unsigned char *level;
#else
	z_stream gzip;
#endif
	unsigned char block[OUT_SIZE];
};

enum step { STEP_GO_ON, STEP_FINISH };

static int put(struct deflate *d, const void *data, size_t size, struct nook_error *e)
{
	int r = fd_write(d->out, data, size);

	if (r < 0)
		return err_num(e, STEP_IMAGE, "compressed layer", r);
	(void)EVP_DigestUpdate(d->hash, data, size);
	d->size += size;
	return 0;
}

/* ---- gzip, by either library ----------------------------------------------------------------------------------------- */

#ifdef NOOK_ISAL
static void gzip_init(struct deflate *d)
{
	isal_deflate_init(&d->gzip);
	d->level = xcalloc(1, ISAL_DEF_LVL1_DEFAULT);
	d->gzip.level = 1;
	d->gzip.level_buf = d->level;
	d->gzip.level_buf_size = ISAL_DEF_LVL1_DEFAULT;
	d->gzip.gzip_flag = IGZIP_GZIP;
	d->gzip.flush = NO_FLUSH;
}

static void gzip_done(struct deflate *d)
{
	free(d->level);
}

static int gzip(struct deflate *d, const void *data, size_t size, enum step step, struct nook_error *e)
{
	d->gzip.next_in = (uint8_t *)(uintptr_t)data;
	d->gzip.avail_in = (uint32_t)size;
	d->gzip.end_of_stream = step == STEP_FINISH;
	do {
		d->gzip.next_out = d->block;
		d->gzip.avail_out = OUT_SIZE;
		if (isal_deflate(&d->gzip) != COMP_OK)
			return err_why(e, STEP_IMAGE, "compressed layer", EIO, "compressing failed");
		TRY(put(d, d->block, OUT_SIZE - d->gzip.avail_out, e));
	} while (d->gzip.avail_out == 0 || (step == STEP_FINISH && d->gzip.internal_state.state != ZSTATE_END));
	return 0;
}
#else
static void gzip_init(struct deflate *d)
{
	enum { WINDOW_BITS = 15, WITH_GZIP_HEADER = 16, MEMORY_LEVEL = 9 };

	if (deflateInit2(&d->gzip, 1, Z_DEFLATED, WINDOW_BITS + WITH_GZIP_HEADER, MEMORY_LEVEL, Z_DEFAULT_STRATEGY) != Z_OK)
		abort();
}

static void gzip_done(struct deflate *d)
{
	(void)deflateEnd(&d->gzip);
}

static int gzip(struct deflate *d, const void *data, size_t size, enum step step, struct nook_error *e)
{
	d->gzip.next_in = (Bytef *)(uintptr_t)data;
	d->gzip.avail_in = (uInt)size;
	do {
		d->gzip.next_out = d->block;
		d->gzip.avail_out = OUT_SIZE;
		if (deflate(&d->gzip, step == STEP_FINISH ? Z_FINISH : Z_NO_FLUSH) == Z_STREAM_ERROR)
			return err_why(e, STEP_IMAGE, "compressed layer", EIO, "compressing failed");
		TRY(put(d, d->block, OUT_SIZE - d->gzip.avail_out, e));
	} while (d->gzip.avail_out == 0);
	return 0;
}
#endif

static int zstd(struct deflate *d, const void *data, size_t size, enum step step, struct nook_error *e)
{
	ZSTD_inBuffer in = {data, size, 0};
	size_t left;

	do {
		ZSTD_outBuffer out = {d->block, OUT_SIZE, 0};

		left = ZSTD_compressStream2(d->zstd, &out, &in, step == STEP_FINISH ? ZSTD_e_end : ZSTD_e_continue);
		if (ZSTD_isError(left))
			return err_why(e, STEP_IMAGE, "compressed layer", EIO, ZSTD_getErrorName(left));
		TRY(put(d, d->block, out.pos, e));
	} while (step == STEP_FINISH ? left > 0 : in.pos < in.size);
	return 0;
}

/* ---- public ---------------------------------------------------------------------------------------------------------- */

struct deflate *deflate_new(enum compression how, int out)
{
	struct deflate *d = xcalloc(1, sizeof(*d));

	d->how = how;
	d->out = out;
	d->hash = EVP_MD_CTX_new();
	if (!d->hash || !EVP_DigestInit_ex(d->hash, EVP_sha256(), NULL))
		abort();
	if (how == COMPRESSION_GZIP)
		gzip_init(d);
	if (how == COMPRESSION_ZSTD && (!(d->zstd = ZSTD_createCCtx()) ||
			ZSTD_isError(ZSTD_CCtx_setParameter(d->zstd, ZSTD_c_compressionLevel, ZSTD_LEVEL))))
		abort();
	return d;
}

void deflate_free(struct deflate *d)
{
	if (!d)
		return;
	if (d->how == COMPRESSION_GZIP)
		gzip_done(d);
	(void)ZSTD_freeCCtx(d->zstd);
	EVP_MD_CTX_free(d->hash);
	free(d);
}

static int step(struct deflate *d, const void *data, size_t size, enum step step, struct nook_error *e)
{
	switch (d->how) {
	case COMPRESSION_GZIP:
		return gzip(d, data, size, step, e);
	case COMPRESSION_ZSTD:
		return zstd(d, data, size, step, e);
	default:
		return put(d, data, size, e);
	}
}

int deflate_write(struct deflate *d, const void *data, size_t size, struct nook_error *e)
{
	/* The libraries count in 32 bits. */
	while (size) {
		size_t n = size < (1 << 30) ? size : 1 << 30;

		TRY(step(d, data, n, STEP_GO_ON, e));
		data = (const char *)data + n;
		size -= n;
	}
	return 0;
}

int deflate_finish(struct deflate *d, char ret_digest[static DIGEST_TEXT_MAX], uint64_t *ret_size, struct nook_error *e)
{
	unsigned char bytes[DIGEST_BYTES];

	TRY(step(d, NULL, 0, STEP_FINISH, e));
	(void)EVP_DigestFinal_ex(d->hash, bytes, NULL);
	digest_text(DIGEST_SHA256, bytes, ret_digest);
	*ret_size = d->size;
	return 0;
}
