import type { RopeConfig, RopeScaling } from "../nn/rope.ts";
import { FormatError, UnsupportedError } from "../util/errors.ts";
import type { DecoderFields, RopeFields } from "./decoder-fields.ts";

/** What else a kind of scaling may need to know. */
interface Lengths {
  /** `max_position_embeddings`. */
  readonly context: number;
  /** Context that the model was first trained with. */
  readonly original: number;
  /** Channels of a head that are rotated. */
  readonly rotated: number;
}

type ReadScaling = (stated: RopeFields, lengths: Lengths) => RopeScaling | null;

/** Kinds of rotation by their `rope_type`. */
const readers: Readonly<Record<string, ReadScaling>> = {
  default: () => null,
  linear: (stated) => ({ kind: "linear", factor: needed(stated, "factor") }),
  dynamic: (stated, { context }) => {
    needed(stated, "factor");
    return { kind: "dynamic", context };
  },
  llama3: (stated, { original }) => ({
    kind: "llama3",
    factor: needed(stated, "factor"),
    lowFrequencyFactor: needed(stated, "low_freq_factor"),
    highFrequencyFactor: needed(stated, "high_freq_factor"),
    originalContext: original,
  }),
  yarn: (stated, { context, original }) => ({
    kind: "yarn",
    // A null says that the factor is what the context has grown by; a missing one is a fault.
    factor: stated.factor === null ? context / original : needed(stated, "factor"),
    originalContext: original,
    fastRotations: stated.beta_fast ?? 32,
    slowRotations: stated.beta_slow ?? 1,
    wholeChannels: stated.truncate ?? true,
    attentionFactor: stated.attention_factor ?? null,
    magnitudes: { some: stated.mscale ?? 0, all: stated.mscale_all_dim ?? 0 },
  }),
  longrope: (stated, { context, original, rotated }) => ({
    kind: "longrope",
    shortFactors: pairFactors(stated, "short_factor", rotated),
    longFactors: pairFactors(stated, "long_factor", rotated),
    originalContext: original,
    factor: stated.factor ?? context / original,
    attentionFactor: stated.attention_factor ?? null,
  }),
};

/** What a family means where its config leaves a field of the rotation out. */
export interface RopeDefaults {
  readonly ropeTheta?: number;
  /** Share of each head that is rotated; absent where only whole heads are. */
  readonly rotatedShare?: number;
  /** Other names of kinds of rotation. */
  readonly ropeTypes?: Readonly<Record<string, string>>;
  /** Whether neighbouring channels are rotated together. */
  readonly interleaved?: boolean;
}

/** Sizes of the model that a rotation is of. */
interface RopeSizes {
  readonly headDim: number;
  readonly contextLength: number;
}

/**
 * Reads how positions become rotations, in the forms of transformers 4 (`rope_theta` beside
 * `rope_scaling`) and 5 (`rope_parameters`), and mixed: `rope_scaling` that is not empty takes the
 * place of `rope_parameters` whole, and `rope_theta` in either goes before the one beside it, as in
 * transformers.
 * @throws FormatError when a field that the kind needs is missing
 * @throws UnsupportedError for kinds that are not known, and for one kind a layer type
 */
export function readRope(
  fields: DecoderFields,
  { headDim, contextLength }: RopeSizes,
  defaults: RopeDefaults = {},
): RopeConfig {
  const stated = statedRope(fields);
  expectOneKind(stated);
  const rotated = rotatedChannels(fields, stated, headDim, defaults.rotatedShare);
  const theta = thetaOf(fields, stated, defaults.ropeTheta ?? 10_000);
  const named = kindOf(stated);
  const kind = defaults.ropeTypes?.[named] ?? named;
  if (!Object.hasOwn(readers, kind)) {
    throw new UnsupportedError(`config.json: rope_type "${kind}" is not supported`, {
      hint: `supported: ${Object.keys(readers).join(", ")}`,
    });
  }
  const own = fields.original_max_position_embeddings;
  const inner = stated.original_max_position_embeddings;
  const original = own ?? inner ?? contextLength;
  const scaling = readers[kind](stated, { context: contextLength, original, rotated });
  return {
    theta,
    headDim,
    ...(rotated < headDim && { rotated }),
    ...(defaults.interleaved && { interleaved: true }),
    ...(scaling && { scaling }),
  };
}

/** The object that counts. */
function statedRope({ rope_scaling: scaling, rope_parameters: parameters }: DecoderFields) {
  return (scaling && Object.keys(scaling).length > 0 ? scaling : parameters) ?? {};
}

/** Base of the wavelengths: that of the object that counts, else the one beside it. */
function thetaOf(fields: DecoderFields, stated: RopeFields, defaultTheta: number): number {
  const holder = stated.rope_theta === undefined ? fields : stated;
  const theta = holder.rope_theta === undefined ? defaultTheta : holder.rope_theta;
  if (theta !== null) return theta;
  throw new FormatError("config.json: rope_theta is null", {
    hint: `leave it out for ${defaultTheta}, or state the model's own`,
  });
}

/**
 * Says what `rope_scaling` hides, null where it hides nothing: a base of the wavelengths that stands
 * only in the `rope_parameters` which it takes the place of.
 */
export function hiddenRopeTheta(fields: DecoderFields, theta: number): string | null {
  const hidden = fields.rope_parameters?.rope_theta ?? theta;
  if (hidden === theta || statedRope(fields) === fields.rope_parameters) return null;
  return (
    `config.json: rope_scaling takes the place of rope_parameters whole, so that rope_theta is ` +
    `${theta}, not ${hidden}, as in transformers; to keep ${hidden}, state it in rope_scaling`
  );
}

function kindOf(stated: RopeFields): string {
  const kind = stated.rope_type === undefined ? (stated.type ?? ownNull(stated)) : stated.rope_type;
  if (kind !== null) return kind;
  throw new FormatError("config.json: rope_type is null", {
    hint: `name one of ${Object.keys(readers).join(", ")}, or leave it out`,
  });
}

function ownNull(stated: RopeFields): "default" | null {
  return stated.type === null ? null : "default";
}

/** @throws UnsupportedError where each layer type has an object of its own */
function expectOneKind(stated: RopeFields): void {
  const nested = Object.entries(stated).find(
    ([, value]) => typeof value === "object" && value !== null && !Array.isArray(value),
  );
  if (!nested) return;
  throw new UnsupportedError(
    `config.json: one rotation a layer type ("${nested[0]}") is not supported`,
    { hint: "the models that fewbit runs rotate all layers alike" },
  );
}

/**
 * Returns how many channels of a head are rotated, the first ones.
 * @throws UnsupportedError where the family rotates whole heads, or pairs would be torn apart
 */
function rotatedChannels(
  fields: DecoderFields,
  stated: RopeFields,
  headDim: number,
  byDefault: number | undefined,
): number {
  const share = stated.partial_rotary_factor ?? fields.partial_rotary_factor ?? byDefault ?? 1;
  const rotated = Math.floor(headDim * share);
  if (rotated === headDim) return headDim;
  if (byDefault === undefined) {
    throw new UnsupportedError(
      `config.json: partial_rotary_factor ${share} is not supported, only whole heads are rotated`,
    );
  }
  if (rotated > 0 && rotated < headDim && rotated % 2 === 0) return rotated;
  throw new UnsupportedError(
    `config.json: partial_rotary_factor ${share} rotates ${rotated} of ${headDim} channels: ` +
      "they are no pairs",
  );
}

/** Reads factors of the wavelengths, one for each pair of channels. @throws FormatError */
function pairFactors(
  stated: RopeFields,
  name: "short_factor" | "long_factor",
  rotated: number,
): readonly number[] {
  const factors = stated[name];
  if (factors?.length === rotated / 2) return factors;
  const found = factors ? `${factors.length} of them` : "none";
  throw new FormatError(
    `config.json: rope_type "${kindOf(stated)}" needs ${rotated / 2} numbers as ${name}, ` +
      `got ${found}`,
  );
}

function needed(
  stated: RopeFields,
  name: "factor" | "low_freq_factor" | "high_freq_factor",
): number {
  const value = stated[name];
  if (typeof value === "number") return value;
  throw new FormatError(`config.json: rope_type "${kindOf(stated)}" needs ${name}`);
}
