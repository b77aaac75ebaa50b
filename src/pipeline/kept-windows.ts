import { sampleWindows } from "./collect-windows.ts";
import type { Journal } from "./journal.ts";
import type { ProgressMeter } from "./progress.ts";
import type { EarlierWork } from "./resume.ts";
import type { RunJob } from "./run.ts";

/** Where sampled windows are kept. */
export interface WindowKeeping {
  readonly journal: Journal;
  readonly meter: ProgressMeter;
  readonly earlier: EarlierWork | null;
  /** Called when a window is safe. */
  readonly onKept: () => void;
}

/** Lets the model write the calibration windows, where the recipe says so; each is kept at once. */
export async function sampleKeptWindows(
  { opened, recipe, options }: RunJob,
  { journal, meter, earlier, onKept }: WindowKeeping,
): Promise<readonly Int32Array[] | null> {
  if (!recipe.calibration) return null;
  const { samples } = recipe.calibration;
  const report = (done: number): void =>
    meter.report(0, `calibration window ${Math.min(done + 1, samples)} of ${samples}`);
  const kept = earlier?.windows ?? [];
  report(kept.length);
  return sampleWindows(opened, recipe, {
    backend: options.backend,
    signal: options.signal,
    earlier: kept,
    onWindow: async (window, done) => {
      await journal.append({ type: "window", ids: [...window], effort: meter.effort });
      onKept();
      options.emit({ type: "window", done, total: samples });
      report(done);
    },
  });
}
