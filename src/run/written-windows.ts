import { FormatError } from "../util/errors.ts";
import { sampleWindows } from "./collect-windows.ts";
import type { Quantization } from "./quantization.ts";

/**
 * Lets the model write the calibration windows if the recipe says so; each is kept at once.
 */
export async function writtenWindows({
  job: { opened, recipe, options },
  run,
  meter,
}: Quantization): Promise<readonly Int32Array[] | null> {
  if (!recipe.calibration) return null;
  const { samples } = recipe.calibration;
  const report = (done: number): void =>
    meter.report(0, `calibration window ${Math.min(done + 1, samples)} of ${samples}`);
  const earlier = run.earlier?.windows ?? [];
  expectWindows(earlier, recipe.calibration, opened.config.vocabularySize);
  report(earlier.length);
  return sampleWindows(opened, recipe, {
    backend: options.backend,
    signal: options.signal,
    earlier,
    onWindow: async (window, done) => {
      await run.finished({ type: "window", ids: [...window] });
      options.emit({ type: "window", done, total: samples });
      report(done);
    },
  });
}

/** Refuses windows of a journal that the model cannot have written. @throws FormatError */
function expectWindows(
  windows: readonly Int32Array[],
  { samples, window }: { readonly samples: number; readonly window: number },
  vocabularySize: number,
): void {
  const areOurs = windows.every(
    (ids) => ids.length === window && ids.every((id) => id < vocabularySize),
  );
  if (areOurs && windows.length <= samples) return;
  throw new FormatError("the journal of an earlier run holds windows that are not this model's", {
    hint: "use `resume: restart` to discard what it left",
  });
}
