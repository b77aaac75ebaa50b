import type { Checkpoint } from "../formats/checkpoint.ts";
import { quantizedEntries } from "../formats/fewbit-format.ts";
import { readQuantizationConfig } from "../formats/quantization-config.ts";
import type { DecoderConfig } from "../models/decoder-config.ts";
import { blockLinearNames, expectedTensors } from "../models/decoder-tensors.ts";
import { storedBytes } from "../formats/safetensors-header.ts";
import { elementCount } from "../tensor/shape.ts";

/** How large a checkpoint is: what it holds over what it stands for. */
export interface ModelSizes {
  /** Parameters of the model, tied ones counted once, with those of parts beside it. */
  readonly parameters: number;
  /** Parts beside the language model, such as a tower for images. */
  readonly others: { readonly parameters: number; readonly bytes: number };
  /** Linear layers of the blocks. */
  readonly linear: {
    readonly layers: number;
    readonly weights: number;
    /** Stored bytes of weights: floats, or codes, scales and zero points; no biases. */
    readonly bytes: number;
    readonly bitsPerWeight: number;
  };
  /** Weight files, headers included. */
  readonly file: {
    readonly bytes: number;
    /** Over all parameters. */
    readonly bitsPerWeight: number;
  };
}

/**
 * Measures a checkpoint by its headers; no weights are read.
 * @param carried names of the tensors of parts beside the language model
 * @throws FormatError
 */
export function measureSizes(
  config: DecoderConfig,
  checkpoint: Checkpoint,
  carried: ReadonlySet<string>,
): ModelSizes {
  const modules = readQuantizationConfig(checkpoint.config)?.modules;
  const { fileBytes } = checkpoint;
  const linears = blockLinearNames(config);
  const others = { parameters: 0, bytes: 0 };
  for (const name of carried) {
    const info = checkpoint.info(name);
    others.parameters += elementCount(info.shape);
    others.bytes += storedBytes(info);
  }
  let { parameters } = others;
  let layers = 0;
  let weights = 0;
  let bytes = 0;
  for (const [name, shape] of expectedTensors(config)) {
    parameters += elementCount(shape);
    if (!linears.has(name)) continue;
    layers++;
    weights += elementCount(shape);
    const module = name.slice(0, -".weight".length);
    const packed = modules?.get(module);
    for (const stored of packed ? quantizedEntries(module, packed) : [{ name }]) {
      bytes += storedBytes(checkpoint.info(stored.name));
    }
  }
  return {
    parameters,
    others,
    linear: { layers, weights, bytes, bitsPerWeight: (8 * bytes) / weights },
    file: { bytes: fileBytes, bitsPerWeight: (8 * fileBytes) / parameters },
  };
}
