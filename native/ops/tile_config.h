/*
 * The AMX tile registers, all as 16 rows of 64 bytes. They are state of the thread: set them up for a chunk, and
 * release them so that the operating system need not save them. The description is a constant in memory because
 * compilers see only its first bytes as read.
 */
#ifndef FEWBIT_TILE_CONFIG_H
#define FEWBIT_TILE_CONFIG_H

#include <immintrin.h>
#include <stdint.h>

#define TILE_ROW_BYTES 64

typedef struct {
  uint8_t palette, start_row, reserved[14];
  uint16_t row_bytes[16];
  uint8_t rows[16];
} tile_shape;

static const tile_shape whole_tiles = {
    .palette = 1,
    .row_bytes = {TILE_ROW_BYTES, TILE_ROW_BYTES, TILE_ROW_BYTES, TILE_ROW_BYTES, TILE_ROW_BYTES,
                  TILE_ROW_BYTES, TILE_ROW_BYTES, TILE_ROW_BYTES},
    .rows = {16, 16, 16, 16, 16, 16, 16, 16},
};

static inline void begin_tiles(void) { _tile_loadconfig(&whole_tiles); }
static inline void end_tiles(void) { _tile_release(); }

#endif
