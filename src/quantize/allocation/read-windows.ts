import { calibrationSchema, type Recipe } from "../../recipe/recipe.ts";
import { settleCalibration } from "../../recipe/parse-recipe.ts";
import { readWindows, sampleWindows } from "../../run/collect-windows.ts";
import type { RunOptions } from "../../run/quantization-job.ts";
import type { OpenedModel } from "../../runtime/load.ts";
import { UsageError } from "../../util/errors.ts";

/** Text of an allocation. */
export interface AllocationText {
  /** What damages are measured on. */
  readonly windows: readonly Int32Array[];
  /** What allocation and uniform scheme are compared on; empty where that is not wanted. */
  readonly heldOut: readonly Int32Array[];
  /** Whether the text was so short that the quantizer sees some of `heldOut`, too. */
  readonly overlaps: boolean;
}

/**
 * Reads the first windows of the calibration text, and others behind all that the quantizer sees.
 * Without text the model writes some.
 * @throws UsageError when there is too little
 */
export async function readAllocationText(
  opened: OpenedModel,
  recipe: Recipe,
  { backend, sharedFolder, signal }: Pick<RunOptions, "backend" | "sharedFolder" | "signal">,
): Promise<AllocationText> {
  const { allocation } = recipe;
  const samples = allocation?.samples ?? 0;
  const wanted = allocation?.compareUniform ? allocation.heldOut : 0;
  const given =
    recipe.calibration ??
    settleCalibration(
      calibrationSchema.parse({ selfGenerated: true, samples }),
      opened.config.contextLength,
    );
  if (!given) return { windows: [], heldOut: [], overlaps: false };
  const seen = recipe.calibration ? Math.max(samples, given.samples) : samples;
  const calibration = { ...given, imageEmbeddings: null, samples: seen + wanted, allowFewer: true };
  const text = { ...recipe, calibration };
  const read = await readWindows(opened, text, false, sharedFolder);
  const all =
    read?.windows ??
    (await sampleWindows(opened, text, { backend, signal, earlier: [], onWindow: async () => {} }));
  const isShort = all.length < seen + wanted;
  const count = isShort ? Math.min(wanted, Math.floor(all.length / 2)) : wanted;
  if (all.length - count < 1 || (wanted > 0 && count < 2)) {
    throw new UsageError(`the text has ${all.length} windows of ${given.window} tokens, too few`, {
      hint: "give more text, a shorter `window`, or leave out `compareUniform`",
      field: "calibration",
    });
  }
  const heldOut = all.slice(all.length - count);
  const rest = all.slice(0, all.length - count);
  return { windows: rest.slice(0, samples), heldOut, overlaps: rest.length < given.samples };
}
