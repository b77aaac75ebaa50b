import type { DecoderConfig } from "../../../models/decoder-config.ts";
import { UnsupportedError } from "../../../util/errors.ts";

/** What the graph has no operators for, by the field of the configuration that asks for it. */
const obstacles: readonly (readonly [
  field: string,
  isThere: (config: DecoderConfig) => boolean,
  why: string,
])[] = [
  ["experts", ({ experts }) => experts !== undefined, "mixtures of experts are not written"],
  [
    "blockRuns",
    ({ blockRuns }) => blockRuns > 1,
    "blocks that run several times need more caches than their readers give them",
  ],
  [
    "headDim",
    ({ headDim }) => headDim % 8 !== 0,
    "GroupQueryAttention takes heads whose width is a multiple of 8",
  ],
];

/** @throws UnsupportedError for a model that the graph cannot express, naming the trait */
export function expectExpressible(config: DecoderConfig): void {
  const found = obstacles.find(([, isThere]) => isThere(config));
  if (!found) return;
  const [field, , why] = found;
  const value = config[field as keyof DecoderConfig];
  const shown = typeof value === "number" ? ` ${value}` : "";
  throw new UnsupportedError(`a ${config.modelType} with \`${field}\`${shown} as ONNX: ${why}`, {
    hint: "export with `format: gguf` or `format: hf`",
    field,
  });
}
