import { z } from "zod";
import { type KvRounding, kvRoundings } from "../quant/activation-grid.ts";
import { expectWholeBlocks, parseScheme, type Scheme } from "../quant/scheme.ts";
import { findMixture } from "../quant/mixtures.ts";
import { FormatError, SchemeError, UnsupportedError } from "../util/errors.ts";
import { parseValue } from "../util/parse-value.ts";
import { isJsonRecord, type JsonRecord } from "../util/json.ts";
import { quoteName } from "./wording.ts";

/** The version of the format that this program writes and the newest that it reads. */
const formatVersion = 1;

/**
 * What stands in a module's place. `linear`: `y = x·Ŵᵀ + b` with packed Ŵ. `onebit`:
 * `y = LayerNorm(x·Ŵᵀ) + b`, the LayerNorm over the outputs, without weight and bias, eps 1e-5.
 */
export type LayerKind = "linear" | "onebit";

/** Returns the kind of layer that weights of a scheme belong to. */
export function layerKind({ grid }: Scheme): LayerKind {
  return grid.normalizedOutputs ? "onebit" : "linear";
}

/** How the weight of one module is stored. */
export interface QuantizedModule {
  readonly kind: LayerKind;
  readonly scheme: Scheme;
  readonly outFeatures: number;
  readonly inFeatures: number;
}

/** `quantization_config` of a config.json, checked. */
export interface QuantizationConfig {
  readonly version: number;
  /** The scheme that was asked for, or that of most modules; single ones may differ. */
  readonly scheme: Scheme;
  /** What was asked for: the id of the scheme, or the name of a mixture. */
  readonly name: string;
  /** What keys and values are rounded to; null where they are not. */
  readonly kvCache: KvRounding | null;
  /** By module name, such as `model.layers.0.self_attn.q_proj`. */
  readonly modules: ReadonlyMap<string, QuantizedModule>;
  /** Tensors of three dimensions each of whose matrices is a module, by their names. */
  readonly stacks: ReadonlyMap<string, MatrixStack>;
  /** What else is recorded, such as the method and its options; of no meaning for reading. */
  readonly notes: JsonRecord;
}

/** A tensor `[matrices, rows, columns]`, such as all experts of a layer. */
export interface MatrixStack {
  readonly matrices: number;
  /** Whether the original stores its matrices as `[in, out]`. */
  readonly transposed: boolean;
}

/** Names of the modules that the matrices of a stack are packed as, in their order. */
export function stackModules(tensor: string, { matrices }: MatrixStack): string[] {
  const module = tensor.replace(/\.weight$/, "");
  return Array.from({ length: matrices }, (_, index) => `${module}.${index}`);
}

/** The shape in which the original stores a stack, given one of the modules of its matrices. */
export function stackShape(
  { matrices, transposed }: MatrixStack,
  { outFeatures, inFeatures }: Pick<QuantizedModule, "outFeatures" | "inFeatures">,
): number[] {
  return [matrices, ...(transposed ? [inFeatures, outFeatures] : [outFeatures, inFeatures])];
}

const dimension = z
  .number()
  .int()
  .min(1)
  .max(2 ** 31);
const envelope = z.looseObject({
  quant_method: z.literal("fewbit"),
  version: z.number().int().min(1),
});
const body = z.looseObject({
  quant_method: z.literal("fewbit"),
  version: z.literal(formatVersion),
  scheme: z.string(),
  kv_cache: z.enum(kvRoundings).nullable().default(null),
  modules: z.custom<JsonRecord>(isJsonRecord, "expected an object"),
  stacks: z
    .record(z.string(), z.object({ matrices: dimension.max(2 ** 20), transposed: z.boolean() }))
    .default({}),
});
const moduleBody = z.looseObject({
  scheme: z.string(),
  kind: z.string(),
  shape: z.tuple([dimension, dimension]),
});

/**
 * Reads `quantization_config` from a config.json; null when the checkpoint is not quantized.
 * @throws UnsupportedError when another program or a newer version of fewbit made it
 * @throws FormatError when it is malformed
 */
export function readQuantizationConfig(config: JsonRecord): QuantizationConfig | null {
  const raw = config.quantization_config;
  if (raw === undefined || raw === null) return null;
  if (!isJsonRecord(raw)) throw new FormatError("quantization_config: expected an object");
  if (raw.quant_method !== "fewbit") throw foreignMethod(raw.quant_method);
  const { version } = parseWith(envelope, raw, "quantization_config");
  if (version > formatVersion) {
    throw new UnsupportedError(
      `the checkpoint was made by a newer fewbit: format version ${version}, ` +
        `this program reads up to ${formatVersion}`,
      { hint: "update fewbit: npm install fewbit@latest" },
    );
  }
  const {
    scheme,
    modules,
    stacks: stated,
    kv_cache: kvCache,
    quant_method: _,
    version: __,
    ...notes
  } = parseWith(body, raw, "quantization_config");
  const read = new Map<string, QuantizedModule>();
  for (const [name, value] of Object.entries(modules)) {
    read.set(name, readQuantizedModule(name, value));
  }
  const stacks = new Map(Object.entries(stated));
  for (const [tensor, stack] of stacks) expectStack(tensor, stack, read);
  const { mixture } = notes;
  const name = typeof mixture === "string" && findMixture(mixture) ? mixture : scheme;
  const usual = readScheme(scheme, "quantization_config");
  return { version, scheme: usual, name, kvCache, modules: read, stacks, notes };
}

/** @throws FormatError unless all matrices of a stack are modules of one shape */
function expectStack(
  tensor: string,
  stack: MatrixStack,
  modules: ReadonlyMap<string, QuantizedModule>,
): void {
  const [first, ...rest] = stackModules(tensor, stack).map((name) => modules.get(name));
  const isWhole = rest.every(
    (other) => other?.outFeatures === first?.outFeatures && other?.inFeatures === first?.inFeatures,
  );
  if (first && isWhole) return;
  throw new FormatError(
    `quantization_config: the stack ${quoteName(tensor)} is not ${stack.matrices} modules of one shape`,
  );
}

/** Reads the description of one module. @throws FormatError UnsupportedError */
export function readQuantizedModule(name: string, value: unknown): QuantizedModule {
  const where = `quantization_config: module ${quoteName(name)}`;
  const { kind, shape, scheme: id } = parseWith(moduleBody, value, where);
  if (kind !== "linear" && kind !== "onebit") {
    throw new UnsupportedError(`${where} is of the unknown kind ${quoteName(kind)}`, {
      hint: "update fewbit: npm install fewbit@latest",
    });
  }
  const scheme = readScheme(id, where);
  if (kind !== layerKind(scheme)) {
    throw new FormatError(
      `${where}: a weight of the scheme ${id} belongs to the kind ${layerKind(scheme)}, not ` +
        `${kind}`,
    );
  }
  const [outFeatures, inFeatures] = shape;
  orFormatError(where, () => expectWholeBlocks(scheme, inFeatures));
  return { kind, scheme, outFeatures, inFeatures };
}

function readScheme(id: string, where: string): Scheme {
  return orFormatError(where, () => parseScheme(id));
}

function orFormatError<Result>(where: string, check: () => Result): Result {
  try {
    return check();
  } catch (error) {
    if (!(error instanceof SchemeError)) throw error;
    throw new FormatError(`${where}: ${error.message}`, { cause: error });
  }
}

/** Describes one module as `quantization_config` does. */
export function writeQuantizedModule(module: QuantizedModule): JsonRecord {
  return {
    scheme: module.scheme.id,
    kind: module.kind,
    shape: [module.outFeatures, module.inFeatures],
  };
}

/** What `quantization_config` has besides scheme and modules. */
export interface ConfigExtras {
  /** Must not use names of the format's own fields. */
  readonly notes?: JsonRecord;
  readonly stacks?: ReadonlyMap<string, MatrixStack>;
  readonly kvCache?: KvRounding | null;
}

/** Builds `quantization_config`. */
export function writeQuantizationConfig(
  scheme: Scheme,
  modules: ReadonlyMap<string, QuantizedModule>,
  { notes = {}, stacks = new Map(), kvCache = null }: ConfigExtras = {},
): JsonRecord {
  const entries = [...modules].map(([name, module]) => [name, writeQuantizedModule(module)]);
  return {
    ...notes,
    quant_method: "fewbit",
    version: formatVersion,
    scheme: scheme.id,
    ...(kvCache !== null && { kv_cache: kvCache }),
    modules: Object.fromEntries(entries),
    ...(stacks.size > 0 && { stacks: Object.fromEntries(stacks) }),
  };
}

function parseWith<S extends z.ZodType>(schema: S, value: unknown, where: string): z.output<S> {
  return parseValue(
    schema,
    value,
    ({ text, hint }) => new FormatError(`${where}: ${text}`, { hint }),
  );
}

function foreignMethod(method: unknown): UnsupportedError {
  if (typeof method !== "string") {
    return new UnsupportedError("the checkpoint is quantized in an unknown way", {
      hint: "take the original checkpoint in 16 or 32 bits",
    });
  }
  return new UnsupportedError(
    `the checkpoint was quantized by another program (quant_method ${quoteName(method)})`,
    { hint: "take the original checkpoint in 16 or 32 bits and quantize that" },
  );
}
