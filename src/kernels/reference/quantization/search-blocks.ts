import type { Kernels } from "../../../backend/kernels.ts";
import { UnsupportedError } from "../../../util/errors.ts";
import { floats } from "../arrays.ts";
import { blockSearches } from "./block-search/index.ts";
import { sumOfSquares } from "./block-search/single-rounding.ts";

const { fround } = Math;

/** Chooses blocks one after the other, in float32. @throws UnsupportedError for another format */
export const searchBlocks: Kernels["searchBlocks"] = (chosen, weight, options) => {
  const [rows = 0, n = 0] = weight.shape;
  const { start, end, format, importance } = options;
  const { id, columns, groupColumns } = format;
  const { [id]: search } = blockSearches;
  if (!search) throw new UnsupportedError(`there is no search for blocks of ${id}`);
  const codes = chosen.codes.storage as Uint8Array;
  const scales = chosen.scales.storage as Uint16Array;
  const offsets = chosen.offsets.storage as Uint16Array;
  const subScales = chosen.subScales.storage as Int8Array;
  const subOffsets = chosen.subOffsets.storage as Uint8Array;
  for (let row = 0; row < rows; row++) {
    const ofRow = floats(weight).subarray(row * n, (row + 1) * n);
    const rowEnergy = importance ? fround(sumOfSquares(ofRow) / n) : 0;
    for (let from = start; from < end; from += columns) {
      const at = row * n + from;
      const groups = [at / groupColumns, (at + columns) / groupColumns] as const;
      const { scale, offset } = search({
        weights: ofRow.subarray(from, from + columns),
        importance: importance && floats(importance).subarray(from, from + columns),
        rowEnergy,
        codes: codes.subarray(at, at + columns),
        subScales: subScales.subarray(...groups),
        subOffsets: subOffsets.subarray(...groups),
      });
      scales[at / columns] = scale;
      offsets[at / columns] = offset;
    }
  }
};
