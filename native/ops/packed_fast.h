/* Fast products: what their parts share. See packed_matmul.c. */
#ifndef FEWBIT_PACKED_FAST_H
#define FEWBIT_PACKED_FAST_H

#include "packed_matrix.h"

/* More tokens are multiplied in turns, so that scratch memory stays small. */
#define TOKENS_AT_ONCE 512

/*
 * Sums of rounded inputs over runs of 16 and of 32 of the 128 columns that share a scale, for sub-scales and offsets
 * of blocks: of four runs a, b, c, d in the order a, c, b, d, so that two neighbours meet the even or the odd bytes
 * of a lane.
 */
typedef struct {
  int16_t narrow[8], wide[4];
} input_sums;

/*
 * Rows of inputs, rounded to 8-bit integers block by block (packed_round.h), for dot products
 *
 *   values [row][group][padded columns], `stride` bytes a row;      scales, totals [row][block]
 *
 * or for the tile unit, where `tiles`, the number of tiles of a block, is not 0
 *
 *   values [row / 16][block][tile][row % 16][64 columns];           scales, totals [row / 16][block][row % 16]
 */
typedef struct {
  int8_t *values;
  float *scales; /* input ≈ scale · value */
  float *totals; /* scale · Σ values */
  input_sums *sums; /* [row][block], where a weight has sub-scales, else NULL */
  int64_t stride, blocks, tiles;
} rounded_rows;

/*
 * Weights that share their inputs' rounding, for one product each: of one group size and one number of bits, or in
 * blocks of any formats whose inputs are rounded by the same number of columns.
 */
#define FAST_WEIGHTS 3
typedef struct {
  packed_matrix weights[FAST_WEIGHTS];
  float *outs[FAST_WEIGHTS]; /* [tokens][rows] */
  int count;
  const float *x;    /* [tokens][columns] */
  const float *norm; /* gain of an RMSNorm that comes first, or NULL */
  double eps;
  int64_t tokens;
  int rowwise; /* the numbers of a token must not depend on how many there are */
} fast_request;

/* outs[i] = x · Ŵᵀ for each weight, with inputs of 8 bits. Returns NULL or a message. */
const char *FB_NAME(fb_packed_fast)(fb_team *team, const fast_request *request);

/* What the inner loops see: one weight and the rounded inputs of some tokens. */
typedef struct {
  packed_matrix weight;
  rounded_rows x;
  float *out; /* [tokens][rows] */
  int64_t tokens;
} fast_call;

/* Adds to sums [blocks][tokens][LANES] the products of groups [g0, g1) of some row blocks with all tokens, in units
 * of the grid's step. Of weights in blocks the groups must be whole blocks. */
typedef void fast_dots(const fast_call *call, int64_t first, int64_t blocks, int64_t g0, int64_t g1, float *sums);

fast_dots FB_NAME(fb_packed_dots), FB_NAME(fb_packed_dots_vnni), FB_NAME(fb_packed_dots_avxvnni),
    FB_NAME(fb_packed_dots_dotprod);
fast_dots FB_NAME(fb_block_dots), FB_NAME(fb_block_dots_vnni), FB_NAME(fb_block_dots_avxvnni),
    FB_NAME(fb_block_dots_dotprod);

/*
 * The same on the AMX tile unit, for blocks [b0, b1) of inputs and all tokens, in sixteens: what is missing of
 * the last sixteen must be there in inputs, scales, totals and sums, whatever it holds. `tiles` is scratch of
 * (b1 - b0) · x.tiles · 1024 bytes. Only with FB_HAS_AMX_INT8, between begin and end.
 */
void FB_NAME(fb_packed_tiles_amx)(const fast_call *call, int64_t row_block, int64_t b0, int64_t b1,
                                  uint8_t *tiles, float *sums);
void FB_NAME(fb_begin_tiles_amx)(void);
void FB_NAME(fb_end_tiles_amx)(void);

#endif
