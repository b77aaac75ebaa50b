/**
 * How the inputs of a linear layer are rounded, and what form its outputs have.
 *
 * - `token`: each token by its own largest magnitude, as it comes; with 1 bit `K·sign(x)`, K the
 *   token's mean magnitude (XNOR-Net, arXiv 1603.05279);
 * - `sign`: `sign(x)`, of 1 bit and without a scale (BNN, arXiv 1602.02830);
 * - `static`: all tokens by one scale and zero point, found beforehand;
 * - `integer`: as `static`, and the outputs are 8-bit integers as well: products, sums and the
 *   rounding to the output's scale are integer arithmetic (Jacob et al., arXiv 1712.05877).
 *
 * sign(0) is +1. With 4 and 6 bits layers compute in floats: what such a model would lose is measured,
 * not what it would gain. With 1 bit they do unless the weights are binary, too.
 */
export interface ActivationGrid {
  readonly bits: ActivationBits;
  readonly mode: ActivationMode;
}

/** How activations are rounded, by the name in scheme ids; `token` has none there. */
export const activationModes = ["token", "sign", "static", "integer"] as const;
export type ActivationMode = (typeof activationModes)[number];

/** Bits of activations; with fewer than 8 each token has a scale of its own, or none. */
export const activationBits = [1, 4, 6, 8] as const;
export type ActivationBits = (typeof activationBits)[number];

/** Integers that keys and values may be, each token and key head by its own largest magnitude. */
export const kvRoundings = ["i8", "i4"] as const;
export type KvRounding = (typeof kvRoundings)[number];

/** How many values of keys and values lie on either side of 0. */
export const kvLevels: Readonly<Record<KvRounding, number>> = { i8: 127, i4: 7 };

/** How many values lie on either side of 0 where a token is rounded by its largest magnitude: not at 1 bit. */
export function tokenLevels({ bits }: Pick<ActivationGrid, "bits">): number {
  return 2 ** (bits - 1) - 1;
}

/** Whether inputs are seen by their signs. */
export function isBinary(activation: ActivationGrid | null): boolean {
  return activation?.bits === 1;
}

/** Whether inputs are rounded in steps of a scale that each token has by itself, or not at all. */
export function isByToken(activation: ActivationGrid | null): boolean {
  return activation === null || (activation.mode === "token" && !isBinary(activation));
}

/** Whether scale and zero point of inputs are found beforehand, for all tokens. */
export function isFixed(activation: ActivationGrid | null): boolean {
  return activation?.mode === "static" || activation?.mode === "integer";
}

/**
 * Whether rounded inputs change what a layer gives so much that the blocks behind it are to be
 * quantized with what comes of them.
 */
export function isCoarse(activation: ActivationGrid | null): boolean {
  return activation !== null && activation.bits < 8;
}

/** Scale and zero point of 8-bit values: `value = scale · (code − zeroPoint)`, codes 0 … 255. */
export interface ActivationParameters {
  readonly scale: number;
  readonly zeroPoint: number;
}

/** What a layer with calibrated activations stores; the output is null where it stays in floats. */
export interface LayerActivations {
  readonly input: ActivationParameters;
  readonly output: ActivationParameters | null;
}

/** Zero point of tokens that are rounded by their own magnitude: 127·x/max|x| + 128. */
export const tokenZeroPoint = 128;

/**
 * Returns scale (a float32) and zero point for values in [low, high]; the range is widened to
 * include zero, so that zero is exact (arXiv 1712.05877, section 3). An empty range gives scale 1.
 */
export function fitActivations(low: number, high: number): ActivationParameters {
  const least = Math.min(low, 0);
  const most = Math.max(high, 0);
  const scale = Math.fround((most - least) / 255);
  if (!(scale > 0) || !Number.isFinite(scale)) return { scale: 1, zeroPoint: 0 };
  return { scale, zeroPoint: Math.min(255, Math.round(-least / scale)) };
}
