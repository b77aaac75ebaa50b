import { readQuantizationConfig } from "../../formats/quantization-config.ts";
import { type HubOrigin, type ResolveOptions, resolveModel } from "../../hub/resolve-model.ts";
import { type GenericCheckpoint, openGenericCheckpoint } from "../../runtime/generic-checkpoint.ts";
import { UnsupportedError } from "../../util/errors.ts";

/** A checkpoint that is quantized by what its tensors look like. */
export interface OpenedGeneric extends GenericCheckpoint {
  readonly directory: string;
  /** Name for people. */
  readonly name: string;
  readonly origin: HubOrigin | null;
}

/**
 * Finds a model and opens its tensors. The caller closes its checkpoint.
 * @throws UnsupportedError when it is quantized already
 * @throws FewbitError as `resolveModel` and `openGenericCheckpoint` do
 */
export async function openGeneric(source: string, options: ResolveOptions): Promise<OpenedGeneric> {
  const { directory, origin, name } = await resolveModel(source, { ...options, allFiles: true });
  const opened = await openGenericCheckpoint(directory);
  for (const notice of opened.notices) options.onNotice?.(notice);
  const quantization = readQuantizationConfig(opened.checkpoint.config);
  if (!quantization) return { ...opened, directory, origin, name };
  await opened.checkpoint.close();
  throw new UnsupportedError(`${name} is quantized already, to ${quantization.name}`, {
    hint: "use the original checkpoint",
  });
}
