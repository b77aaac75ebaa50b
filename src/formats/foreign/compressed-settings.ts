import { z } from "zod";
import type { ActivationGrid } from "../../quant/activation-grid.ts";
import { FormatError } from "../../util/errors.ts";
import { isJsonRecord, type JsonRecord } from "../../util/json.ts";
import { parseValue } from "../../util/parse-value.ts";
import { ofMethod, refuseSetting } from "./module-tensors.ts";
import { namePattern } from "./name-pattern.ts";

/** How the weights of one layer are stored. */
export interface LayerScheme {
  readonly bits: number;
  readonly symmetric: boolean;
  readonly strategy: "group" | "channel" | "tensor";
  /** Columns of a group; null: one group a row, or one for all. */
  readonly groupSize: number | null;
  /** Whether columns are in groups as `weight_g_idx` says. */
  readonly isOrdered: boolean;
  /** How inputs are rounded; null where they are not, or as their scheme cannot say. */
  readonly activation: ActivationGrid | null;
}

const strategies = ["group", "channel", "tensor"] as const;
const weightsSchema = z.looseObject({
  num_bits: z.number().int().min(1).max(8),
  type: z.string(),
  symmetric: z.boolean().default(true),
  strategy: z.enum(strategies).nullish(),
  group_size: z.number().int().min(-1).nullish(),
  actorder: z.union([z.string(), z.boolean()]).nullish(),
});
const inputsSchema = z.looseObject({
  num_bits: z.number().int().default(8),
  type: z.string().default("int"),
  symmetric: z.boolean().default(true),
  strategy: z.string().nullish(),
  dynamic: z.union([z.boolean(), z.string()]).default(false),
});
const schema = z.looseObject({
  format: z.string().optional(),
  config_groups: z.record(
    z.string(),
    z.looseObject({
      targets: z.array(z.string()),
      weights: weightsSchema.nullish(),
      input_activations: inputsSchema.nullish(),
    }),
  ),
  ignore: z.array(z.string()).nullish(),
});

const formats = ["pack-quantized", "int-quantized", "naive-quantized", "mixed-precision", "dense"];

/**
 * Finds the settings of compressed-tensors in config.json: `quantization_config`, or
 * `compression_config`, as it was called before transformers knew it; null where neither is its own.
 * @throws FormatError when both are there and describe different weights
 */
export function findCompressedSettings(config: JsonRecord): ReturnType<typeof ofMethod> {
  const { compression_config: older, ...rest } = config;
  const found = ofMethod(rest, "compressed-tensors");
  if (!isJsonRecord(older)) return found;
  const renamed = ofMethod({ ...rest, quantization_config: older }, "compressed-tensors");
  if (!found || !renamed) return "quantization_config" in rest ? found : renamed;
  const [one, other] = [found, renamed].map(({ settings }) => settings.config_groups);
  if (JSON.stringify(one) === JSON.stringify(other)) return found;
  throw new FormatError(
    "config.json has `quantization_config` and `compression_config`, and their `config_groups` differ",
    { hint: "remove the one that does not belong to the weights" },
  );
}

/**
 * Reads `quantization_config` of compressed-tensors.
 * @returns what holds for a layer; null where no group has it, or it is to be ignored
 * @throws FormatError UnsupportedError for what is malformed or not read
 */
export function readCompressedSettings(json: JsonRecord): {
  readonly schemeOf: (layer: string) => LayerScheme | null;
} {
  const found = parseValue(
    schema,
    json,
    ({ text, hint }) => new FormatError(`quantization_config: ${text}`, { hint }),
  );
  const { format = "pack-quantized" } = found;
  if (!formats.includes(format)) refuseSetting("format", format, `${formats.join(", ")} are read`);
  const ignored = (found.ignore ?? []).map(targetTest);
  const groups = Object.values(found.config_groups).flatMap(({ targets, weights, ...rest }) =>
    weights
      ? [{ tests: targets.map(targetTest), scheme: schemeOf(weights, rest.input_activations) }]
      : [],
  );
  return {
    schemeOf: (layer) => {
      if (ignored.some((test) => test(layer) === "named")) return null;
      // A name or pattern counts before the class of a layer.
      for (const wanted of ["named", "class"]) {
        const group = groups.find(({ tests }) => tests.some((test) => test(layer) === wanted));
        if (group) return group.scheme;
      }
      return null;
    },
  };
}

function schemeOf(
  weights: z.output<typeof weightsSchema>,
  inputs: z.output<typeof inputsSchema> | null | undefined,
): LayerScheme {
  const { num_bits: bits, type, symmetric, strategy, group_size: size, actorder } = weights;
  if (type !== "int") refuseSetting("type", type, "weights of the type int are read");
  const hasGroups = size !== undefined && size !== null && size > 0;
  const usual = strategy ?? (hasGroups ? "group" : "channel");
  if (usual === "group" && !hasGroups) {
    throw new FormatError(
      `quantization_config: \`group_size\` is ${JSON.stringify(size)} for the strategy group`,
    );
  }
  const groupSize = usual === "group" ? (size as number) : null;
  const isOrdered = actorder === true || actorder === "group" || actorder === "dynamic";
  const activation = activationOf(inputs);
  return { bits, symmetric, strategy: usual, groupSize, isOrdered, activation };
}

function activationOf(
  inputs: z.output<typeof inputsSchema> | null | undefined,
): ActivationGrid | null {
  if (!inputs) return null;
  const { num_bits: bits, type, symmetric, strategy, dynamic } = inputs;
  const isByToken = dynamic === true && symmetric && strategy === "token" && type === "int";
  if (isByToken && (bits === 8 || bits === 6 || bits === 4)) return { bits, mode: "token" };
  return refuseSetting(
    "input_activations",
    { num_bits: bits, type, symmetric, strategy, dynamic },
    "inputs of 4, 6 or 8 bits by token (dynamic, symmetric) are read",
  );
}

/** Says whether a target of a group has a layer, and how: by its name, or by its class. */
function targetTest(target: string): (layer: string) => "named" | "class" | null {
  if (!target.startsWith("re:")) {
    if (target === "Linear") return () => "class";
    return (layer) => (layer === target ? "named" : null);
  }
  const test = namePattern(target.slice(3), target);
  return (layer) => (test(layer) ? "named" : null);
}
