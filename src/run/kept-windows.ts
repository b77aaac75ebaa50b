import { sampleWindows } from "./collect-windows.ts";
import type { Journal } from "./journal.ts";
import type { RunState } from "./run-state.ts";

/** Lets the model write the calibration windows, where the recipe says so; each is kept at once. */
export async function sampleKeptWindows(
  state: RunState,
  journal: Journal,
): Promise<readonly Int32Array[] | null> {
  const { meter } = state;
  const { opened, recipe, options } = state.job;
  if (!recipe.calibration) return null;
  const { samples } = recipe.calibration;
  const report = (done: number): void =>
    meter.report(0, `calibration window ${Math.min(done + 1, samples)} of ${samples}`);
  const kept = state.earlier?.windows ?? [];
  report(kept.length);
  return sampleWindows(opened, recipe, {
    backend: options.backend,
    signal: options.signal,
    earlier: kept,
    onWindow: async (window, done) => {
      await journal.append({ type: "window", ids: [...window], effort: meter.effort });
      state.hasFinishedWork = true;
      options.emit({ type: "window", done, total: samples });
      report(done);
    },
  });
}
