import { openCheckpoint } from "../formats/checkpoint.ts";
import { type ResolveOptions, resolveModel } from "../hub/resolve-model.ts";
import type { DecoderConfig } from "../models/decoder-config.ts";
import { readModelConfig } from "../models/index.ts";
import { measureSizes } from "../runtime/model-sizes.ts";

/** Reads how large a model is, and of which shape, from its headers. */
export async function inspectSizes(
  source: string,
  options: ResolveOptions,
): Promise<{ parameters: number; decoder: DecoderConfig }> {
  const { directory } = await resolveModel(source, options);
  const checkpoint = await openCheckpoint(directory);
  try {
    const decoder = readModelConfig(checkpoint.config);
    const { parameters } = measureSizes(decoder, checkpoint);
    return { parameters, decoder };
  } finally {
    await checkpoint.close();
  }
}
