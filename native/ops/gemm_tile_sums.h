/*
 * The 32 x 32 sums of a product on the AMX tile unit, in four tile registers (see gemm_amx.c), to and from memory: rows of NR
 * floats. For use in gemm_*amx.c behind gemm_pack_bf16.h and tile_config.h.
 */
#define SUMS_ROW (NR * sizeof(float))

/* Loads the sums, or starts from zero. */
static inline void begin_sums(const float *sums, int first) {
  if (first) {
    _tile_zero(0);
    _tile_zero(1);
    _tile_zero(2);
    _tile_zero(3);
  } else {
    _tile_loadd(0, sums, SUMS_ROW);
    _tile_loadd(1, sums + 16, SUMS_ROW);
    _tile_loadd(2, sums + 16 * NR, SUMS_ROW);
    _tile_loadd(3, sums + 16 * NR + 16, SUMS_ROW);
  }
}

static inline void end_sums(float *sums) {
  _tile_stored(0, sums, SUMS_ROW);
  _tile_stored(1, sums + 16, SUMS_ROW);
  _tile_stored(2, sums + 16 * NR, SUMS_ROW);
  _tile_stored(3, sums + 16 * NR + 16, SUMS_ROW);
}
