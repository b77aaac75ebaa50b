import { openCheckpoint } from "../formats/checkpoint.ts";
import { type ResolveOptions, resolveModel } from "../hub/resolve-model.ts";
import { readModelConfig } from "../models/index.ts";
import { measureSizes } from "../runtime/model-sizes.ts";

/** Reads how large a model is from its headers. */
export async function inspectSizes(
  source: string,
  options: ResolveOptions,
): Promise<{ parameters: number; contextLength: number }> {
  const { directory } = await resolveModel(source, options);
  const checkpoint = await openCheckpoint(directory);
  try {
    const config = readModelConfig(checkpoint.config);
    const { parameters } = measureSizes(config, checkpoint);
    return { parameters, contextLength: config.contextLength };
  } finally {
    await checkpoint.close();
  }
}
