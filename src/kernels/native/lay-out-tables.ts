import { roundTable } from "../../backend/rounded-table.ts";

/** Entries of a table in memory; smaller ones are repeated or filled up. */
const entries = 16;

/**
 * Lays the tables of rows out for vectors of `lanes` rows, as `native/ops/packed_matrix.h` has them
 * behind the codes: for each row block the 7-bit integers that codes are looked up in, steps, zeros
 * and values. `valuesOf` gives the values of a row.
 */
export function layOutRowTables(
  valuesOf: (row: number) => Float32Array,
  levels: number,
  lanes: number,
  outFeatures: number,
): Uint8Array {
  const tables = levels === entries ? 1 : 2;
  const lookUpBytes = 4 * tables * lanes * 4;
  const blockBytes = lookUpBytes + lanes * (2 + entries) * 4;
  const bytes = new Uint8Array(Math.ceil(outFeatures / lanes) * blockBytes);
  for (let row = 0; row < outFeatures; row++) {
    const start = Math.floor(row / lanes) * blockBytes;
    const lane = row % lanes;
    const values = valuesOf(row);
    const { codes, step, zero } = roundTable(values);
    for (let i = 0; i < tables; i++) {
      const vector = (lane % 4) * tables + i;
      const at = start + vector * lanes * 4 + Math.floor(lane / 4) * entries;
      for (let n = 0; n < entries; n++) bytes[at + n] = codes[levelOf(n, i, levels)];
    }
    const floats = new Float32Array(bytes.buffer, start + lookUpBytes, lanes * (2 + entries));
    floats[lane] = step;
    floats[lanes + lane] = zero;
    floats.set(values, lanes * 2 + lane * entries);
  }
  return bytes;
}

/** Lays out one table of 16 values that all rows have. */
export function layOutOneTable(values: Float32Array, lanes: number): Uint8Array {
  const bytes = new Uint8Array(lanes * 4 + (2 * lanes + entries) * 4);
  const { codes, step, zero } = roundTable(values);
  for (let i = 0; i < lanes * 4; i++) bytes[i] = codes[i % entries];
  const floats = new Float32Array(bytes.buffer, lanes * 4);
  floats.fill(step, 0, lanes).fill(zero, lanes, 2 * lanes);
  floats.set(values, 2 * lanes);
  return bytes;
}

/**
 * The level that a look-up of index n finds in one of two tables: the lower bits are a code of the
 * first one; of the second, the upper bits are (`native/ops/look_up.h`).
 */
function levelOf(n: number, table: number, levels: number): number {
  if (table === 0) return n % levels;
  return levels === 4 ? n >> 2 : n >> 1;
}
