/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "archive/inflate.h"

#include "base/alloc.h"
#include "base/fd.h"
#include "image/digest.h"

#ifdef NOOK_ISAL
#include <isa-l/igzip_lib.h>
#else
#include <zlib.h>
#endif
#include <openssl/evp.h>
#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>
#include <zstd.h>

enum { IN_SIZE = 128 << 10, OUT_SIZE = 256 << 10, WINDOW_LOG_MAX = 27, MAGIC_SIZE = 4 };

/* What grows beyond this much and this many times its size is made to fill disks. */
#define BOMB_BYTES (UINT64_C(1) << 30)
enum { BOMB_RATIO = 200 };

enum state {
	STATE_START, /* the kind is not known yet */
	STATE_PLAIN,
	STATE_GZIP,
	STATE_GZIP_END, /* between members */
	STATE_ZSTD,
	STATE_END,
};

struct inflate {
	int input, growth;
	enum digest_algorithm algorithm;
	enum state state;
	uint64_t at;       /* bytes taken from the file */
	uint64_t produced;
	bool complete;     /* the file does not grow any more */
	bool in_frame;     /* zstd: a frame is open */
	size_t in_at, in_len;
	EVP_MD_CTX *hash;
	ZSTD_DCtx *zstd;
#ifdef NOOK_ISAL
	struct inflate_state gzip;
#else
	z_stream gzip;
#endif
	unsigned char in[IN_SIZE], out[OUT_SIZE];
};

static int refuse(struct nook_error *e, const char *why)
{
	return err_why(e, STEP_UNPACK, "layer", EINVAL, why);
}

/* ---- gzip, by either library ----------------------------------------------------------------------------------------- */

#ifdef NOOK_ISAL
static void gzip_init(struct inflate *f)
{
	isal_inflate_init(&f->gzip);
	f->gzip.crc_flag = ISAL_GZIP;
}

static void gzip_done(struct inflate *f)
{
	(void)f;
}

static void gzip_next_member(struct inflate *f)
{
	isal_inflate_reset(&f->gzip);
	f->gzip.crc_flag = ISAL_GZIP;
}

/* How much was produced; sets *ret_end when the member is over. */
static ssize_t gzip_step(struct inflate *f, bool *ret_end, struct nook_error *e)
{
	int r;

	f->gzip.next_in = f->in + f->in_at;
	f->gzip.avail_in = (uint32_t)(f->in_len - f->in_at);
	f->gzip.next_out = f->out;
	f->gzip.avail_out = OUT_SIZE;
	r = isal_inflate(&f->gzip);
	f->in_at = f->in_len - f->gzip.avail_in;
	if (r == ISAL_INCORRECT_CHECKSUM)
		return refuse(e, "its gzip data has a wrong checksum");
	if (r < 0 && r != ISAL_END_INPUT)
		return refuse(e, "its gzip data is damaged");
	*ret_end = f->gzip.block_state == ISAL_BLOCK_FINISH;
	return OUT_SIZE - (ssize_t)f->gzip.avail_out;
}
#else
static void gzip_init(struct inflate *f)
{
	if (inflateInit2(&f->gzip, MAX_WBITS + 16) != Z_OK)
		abort();
}

static void gzip_done(struct inflate *f)
{
	(void)inflateEnd(&f->gzip);
}

static void gzip_next_member(struct inflate *f)
{
	(void)inflateReset(&f->gzip);
}

static ssize_t gzip_step(struct inflate *f, bool *ret_end, struct nook_error *e)
{
	int r;

	f->gzip.next_in = f->in + f->in_at;
	f->gzip.avail_in = (unsigned)(f->in_len - f->in_at);
	f->gzip.next_out = f->out;
	f->gzip.avail_out = OUT_SIZE;
	r = inflate(&f->gzip, Z_NO_FLUSH);
	f->in_at = f->in_len - f->gzip.avail_in;
	if (r != Z_OK && r != Z_STREAM_END && r != Z_BUF_ERROR)
		return refuse(e, "its gzip data is damaged");
	*ret_end = r == Z_STREAM_END;
	return OUT_SIZE - (ssize_t)f->gzip.avail_out;
}
#endif

/* ---- life ------------------------------------------------------------------------------------------------------------ */

struct inflate *inflate_new(int input, int growth, enum digest_algorithm algorithm)
{
	struct inflate *f = xcalloc(1, sizeof(*f));

	f->input = input;
	f->growth = growth;
	f->algorithm = algorithm;
	f->complete = growth < 0;
	f->hash = EVP_MD_CTX_new();
	f->zstd = ZSTD_createDCtx();
	if (!f->hash || !f->zstd || !EVP_DigestInit_ex(f->hash, algorithm == DIGEST_SHA512 ? EVP_sha512() : EVP_sha256(), NULL))
		abort();
	(void)ZSTD_DCtx_setParameter(f->zstd, ZSTD_d_windowLogMax, WINDOW_LOG_MAX);
	gzip_init(f);
	return f;
}

void inflate_free(struct inflate *f)
{
	if (!f)
		return;
	gzip_done(f);
	EVP_MD_CTX_free(f->hash);
	(void)ZSTD_freeDCtx(f->zstd);
	free(f);
}

/* ---- input ----------------------------------------------------------------------------------------------------------- */

/* Waits for news about the file. */
static int wait_growth(struct inflate *f, struct nook_error *e)
{
	char news[512];
	ssize_t n = fd_read_once(f->growth, news, sizeof(news));

	if (n < 0)
		return err_num(e, STEP_UNPACK, "layer", (int)n);
	f->complete = n == 0;
	return 0;
}

/* More bytes behind those that are left: 1, or 0 when there are none and never will be. */
static int fill(struct inflate *f, struct nook_error *e)
{
	if (f->in_at) {
		memmove(f->in, f->in + f->in_at, f->in_len - f->in_at);
		f->in_len -= f->in_at;
		f->in_at = 0;
	}
	while (f->in_len < IN_SIZE) {
		const bool was_complete = f->complete;
		ssize_t n = pread(f->input, f->in + f->in_len, IN_SIZE - f->in_len, (off_t)f->at);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return err_sys(e, STEP_UNPACK, "layer");
		if (n > 0) {
			f->in_len += (size_t)n;
			f->at += (uint64_t)n;
			return 1;
		}
		if (was_complete)
			return 0;
		TRY(wait_growth(f, e));
	}
	return 1;
}

/* ---- output ---------------------------------------------------------------------------------------------------------- */

static int detect(struct inflate *f, struct nook_error *e)
{
	static const unsigned char gzip[] = {0x1f, 0x8b}, zstd[] = {0x28, 0xb5, 0x2f, 0xfd}, skippable[] = {0x2a, 0x4d, 0x18};

	while (f->in_len < MAGIC_SIZE && TRY(fill(f, e)))
		;
	if (f->in_len >= sizeof(gzip) && memcmp(f->in, gzip, sizeof(gzip)) == 0)
		f->state = STATE_GZIP;
	else if (f->in_len >= MAGIC_SIZE && (memcmp(f->in, zstd, sizeof(zstd)) == 0 ||
		((f->in[0] & 0xf0) == 0x50 && memcmp(f->in + 1, skippable, sizeof(skippable)) == 0)))
		f->state = STATE_ZSTD;
	else
		f->state = STATE_PLAIN;
	return 0;
}

/* Behind a member: another one, the end, or zeros that fill up a block. */
static int between_members(struct inflate *f, struct nook_error *e)
{
	while (f->in_len - f->in_at < 2 && TRY(fill(f, e)))
		;
	if (f->in_len - f->in_at >= 2 && f->in[f->in_at] == 0x1f && f->in[f->in_at + 1] == 0x8b) {
		gzip_next_member(f);
		f->state = STATE_GZIP;
		return 0;
	}
	for (; f->in_at < f->in_len; f->in_at++)
		if (f->in[f->in_at])
			return refuse(e, "something stands behind the end of its gzip data");
	if (!TRY(fill(f, e)))
		f->state = STATE_END;
	return 0;
}

static ssize_t step_gzip(struct inflate *f, const void **ret, struct nook_error *e)
{
	bool end = false;
	ssize_t n;

	if (f->in_at == f->in_len && !TRY(fill(f, e)))
		return refuse(e, "its gzip data ends in the middle");
	n = gzip_step(f, &end, e);
	if (n >= 0 && end)
		f->state = STATE_GZIP_END;
	*ret = f->out;
	return n;
}

static ssize_t step_zstd(struct inflate *f, const void **ret, struct nook_error *e)
{
	ZSTD_inBuffer in;
	ZSTD_outBuffer out = {f->out, OUT_SIZE, 0};
	size_t r;

	if (f->in_at == f->in_len && !TRY(fill(f, e))) {
		if (f->in_frame)
			return refuse(e, "its zstd data ends in the middle");
		f->state = STATE_END;
		return 0;
	}
	in = (ZSTD_inBuffer){f->in, f->in_len, f->in_at};
	r = ZSTD_decompressStream(f->zstd, &out, &in);
	if (ZSTD_isError(r))
		return err_fmt(e, STEP_UNPACK, "layer", EINVAL, "its zstd data is refused: %s", ZSTD_getErrorName(r));
	f->in_at = in.pos;
	f->in_frame = r != 0;
	*ret = f->out;
	return (ssize_t)out.pos;
}

static ssize_t step_plain(struct inflate *f, const void **ret, struct nook_error *e)
{
	size_t n;

	if (f->in_at == f->in_len && !TRY(fill(f, e))) {
		f->state = STATE_END;
		return 0;
	}
	n = f->in_len - f->in_at;
	*ret = f->in + f->in_at;
	f->in_at = f->in_len;
	return (ssize_t)n;
}

static ssize_t step(struct inflate *f, const void **ret, struct nook_error *e)
{
	switch (f->state) {
	case STATE_START:
		return detect(f, e);
	case STATE_PLAIN:
		return step_plain(f, ret, e);
	case STATE_GZIP:
		return step_gzip(f, ret, e);
	case STATE_GZIP_END:
		return between_members(f, e);
	case STATE_ZSTD:
		return step_zstd(f, ret, e);
	case STATE_END:
		break;
	}
	return 0;
}

ssize_t inflate_read(struct inflate *f, const void **ret, struct nook_error *e)
{
	while (f->state != STATE_END) {
		ssize_t n = step(f, ret, e);

		if (n < 0)
			return n;
		if (n == 0)
			continue;
		f->produced += (uint64_t)n;
		if (f->produced > BOMB_BYTES && f->produced / BOMB_RATIO > f->at)
			return refuse(e, "it grows to more than 200 times its size");
		(void)EVP_DigestUpdate(f->hash, *ret, (size_t)n);
		return n;
	}
	return 0;
}

int inflate_drain(struct inflate *f, struct nook_error *e)
{
	const void *unused;
	ssize_t n;

	do
		n = inflate_read(f, &unused, e);
	while (n > 0);
	return (int)n;
}

void inflate_digest(struct inflate *f, char ret[static DIGEST_TEXT_MAX])
{
	unsigned char bytes[EVP_MAX_MD_SIZE];

	(void)EVP_DigestFinal_ex(f->hash, bytes, NULL);
	digest_text(f->algorithm, bytes, ret);
}
