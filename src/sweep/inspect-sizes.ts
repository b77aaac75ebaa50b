import { type ResolveOptions, resolveModel } from "../hub/resolve-model.ts";
import type { DecoderConfig } from "../models/decoder-config.ts";
import { openModelCheckpoint } from "../runtime/model-checkpoint.ts";
import { measureSizes } from "../runtime/model-sizes.ts";

/** Reads how large a model is, and of which shape, from its headers. */
export async function inspectSizes(
  source: string,
  options: ResolveOptions,
): Promise<{ parameters: number; decoder: DecoderConfig }> {
  const { directory } = await resolveModel(source, options);
  const { checkpoint, carried, config: decoder, notices } = await openModelCheckpoint(directory);
  try {
    for (const notice of notices) options.onNotice?.(notice);
    const { parameters } = measureSizes(decoder, checkpoint, carried);
    return { parameters, decoder };
  } finally {
    await checkpoint.close();
  }
}
