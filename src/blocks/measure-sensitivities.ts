import { joinPath } from "../platform/node.ts";
import { openImages } from "../run/image-embeddings.ts";
import type { Quantization } from "../run/quantization.ts";
import { Sensitivities } from "./sensitivities.ts";

/**
 * Measures how much the loss of the original depends on the weights of the blocks from one on; null
 * where the method does not ask for it. Embedding and head of the original must be loaded.
 */
export async function measureSensitivities(
  { job, run, meter }: Quantization,
  windows: readonly Int32Array[],
  firstBlock: number,
): Promise<Sensitivities | null> {
  const { opened, plan, recipe, method, options } = job;
  const linears = plan.linears.filter(({ scheme, block }) => scheme && block >= firstBlock);
  if (!method.needs.sensitivities || linears.length === 0) return null;
  const given = await openImages(opened, recipe.calibration);
  try {
    return await Sensitivities.measure({
      model: opened.model,
      windows,
      given,
      linears,
      folder: joinPath(run.folder.workPath, "sensitivities"),
      report: (activity) => meter.report(firstBlock, activity),
      signal: options.signal,
    });
  } finally {
    await given?.close();
  }
}
