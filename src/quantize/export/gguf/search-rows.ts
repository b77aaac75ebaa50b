import type { Backend } from "../../../backend/backend.ts";
import { groupsPerBlock } from "../../../quant/blocks/block-run.ts";
import { packBlocks } from "../../../quant/blocks/block-weight.ts";
import { searchBlocks } from "../../../tensor/quantization-ops.ts";
import { Tensor } from "../../../tensor/tensor.ts";
import type { SearchRows } from "./convert-rows.ts";

/** Chooses blocks as ggml does, on a backend. */
export function searchRows(backend: Backend): SearchRows {
  return async (format, values, columns) => {
    const rows = values.length / columns;
    const blocks = columns / format.columns;
    const groups = blocks * groupsPerBlock(format);
    const weight = Tensor.from(backend, "f32", [rows, columns], values);
    const chosen = {
      codes: Tensor.empty(backend, "u8", [rows, columns]),
      scales: Tensor.empty(backend, "f16", [rows, blocks]),
      offsets: Tensor.empty(backend, "f16", [rows, blocks]),
      subScales: Tensor.empty(backend, "i8", [rows, groups]),
      subOffsets: Tensor.empty(backend, "u8", [rows, groups]),
    };
    try {
      searchBlocks(chosen, weight, { format, start: 0, end: columns, importance: null });
      return packBlocks(format, {
        outFeatures: rows,
        inFeatures: columns,
        codes: await chosen.codes.read(),
        scales: await chosen.scales.read(),
        offsets: format.offset === "none" ? null : await chosen.offsets.read(),
        subScales: format.subScaleRange === null ? null : await chosen.subScales.read(),
        subOffsets: format.largestSubOffset === null ? null : await chosen.subOffsets.read(),
      });
    } finally {
      for (const tensor of [weight, ...Object.values(chosen)]) tensor.release();
    }
  };
}
