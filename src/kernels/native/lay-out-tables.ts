import { roundTable } from "../../backend/rounded-table.ts";
import { halvesToFloats } from "../../util/half.ts";

/** What is added to the bits of a code, by the numbers of `native/ops/packed_matrix.h`. */
export const tableKinds = { ofRows: 32, shared: 64 } as const;

/** Entries of a table in memory; smaller ones are repeated or filled up. */
const entries = 16;

/**
 * Lays tables out for vectors of `lanes` rows, as `native/ops/packed_matrix.h` has them behind the
 * codes: for each row block, or once for all, the 7-bit integers that codes are looked up in, steps,
 * zeros and values.
 */
export function layOutTables(
  table: Float32Array | Uint16Array,
  levels: number,
  lanes: number,
  outFeatures: number,
): Uint8Array {
  const isShared = table instanceof Float32Array;
  const rowBlocks = isShared ? 1 : Math.ceil(outFeatures / lanes);
  const tables = levels === entries ? 1 : 2;
  const lookUpBytes = 4 * tables * lanes * 4;
  const blockBytes = lookUpBytes + lanes * (2 + entries) * 4;
  const bytes = new Uint8Array(rowBlocks * blockBytes);
  const values = isShared ? table : halvesToFloats(table);
  for (let row = 0; row < (isShared ? lanes : outFeatures); row++) {
    const ofRow = isShared ? values : values.subarray(row * levels, (row + 1) * levels);
    const block = bytes.subarray(Math.floor(row / lanes) * blockBytes);
    layOutTable(block, ofRow, { tables, lanes, lookUpBytes, lane: row % lanes });
  }
  return bytes;
}

interface TablePlace {
  /** Tables of a look-up. */
  readonly tables: number;
  readonly lanes: number;
  readonly lookUpBytes: number;
  readonly lane: number;
}

function layOutTable(block: Uint8Array, values: Float32Array, place: TablePlace): void {
  const { tables, lanes, lookUpBytes, lane } = place;
  const { codes, step, zero } = roundTable(values);
  for (let i = 0; i < tables; i++) {
    const vector = (lane % 4) * tables + i;
    const at = vector * lanes * 4 + Math.floor(lane / 4) * entries;
    for (let n = 0; n < entries; n++) block[at + n] = codes[levelOf(n, i, values.length)];
  }
  const floats = new Float32Array(
    block.buffer,
    block.byteOffset + lookUpBytes,
    lanes * (2 + entries),
  );
  floats[lane] = step;
  floats[lanes + lane] = zero;
  floats.set(values, lanes * 2 + lane * entries);
}

/**
 * The level that a look-up of index n finds in one of two tables: the lower bits are a code of the
 * first one; of the second, the upper bits are (`native/ops/look_up.h`).
 */
function levelOf(n: number, table: number, levels: number): number {
  if (table === 0) return n % levels;
  return levels === 4 ? n >> 2 : n >> 1;
}
