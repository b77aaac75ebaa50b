import type { FixedRounding, IntegerGateOptions } from "../backend/integer-kernels.ts";
import { factorOf, IntegerOnlyLinear, outputUnit, roundingOf } from "../nn/integer-only-linear.ts";
import { IntegerOnlyNorm } from "../nn/integer-only-norm.ts";
import type { IntegerRows } from "../nn/linear.ts";
import type { NormWeights } from "../nn/norm.ts";
import { functionBits } from "../quant/integer-functions.ts";
import { UnsupportedError } from "../util/errors.ts";
import type { DecoderConfig } from "./decoder-config.ts";
import type { NormKey, SlotKey } from "./decoder-names.ts";
import type { DecoderBlock } from "./decoder-weights.ts";

/** Bits of queries, keys and values, and of gates, whose products must stay below 2^53. */
const headBits = 30;
const gateBits = 25;
/** By how many bits a step of a calibrated scale is finer than that of what is rounded to it. */
const finerBits = 12;

/** A projection of normalised rows, and what an int32 of 1 stands for in what it gives. */
export interface Projection {
  readonly linear: IntegerOnlyLinear;
  readonly rounding: FixedRounding | null;
  readonly unit: number;
}

/** A block of a decoder as integers. */
export interface IntegerBlock {
  readonly index: number;
  readonly norms: {
    readonly attention: IntegerOnlyNorm;
    readonly mlp: IntegerOnlyNorm;
    readonly query: IntegerOnlyNorm | null;
    readonly key: IntegerOnlyNorm | null;
  };
  readonly query: Projection;
  readonly key: Projection;
  readonly value: Projection;
  /** Reads what attention gives, in units of the values; adds to the residual stream. */
  readonly output: Omit<Projection, "unit">;
  readonly gate: Projection;
  readonly up: Projection;
  readonly gating: IntegerGateOptions;
  readonly down: IntegerOnlyLinear;
}

/**
 * Turns a block in memory into integers; its 8-bit weights are shared, not copied.
 * @param stream what an int32 of 1 in the residual stream stands for
 * @throws UnsupportedError when a linear layer does not multiply 8-bit integers
 */
export async function toIntegerBlock(
  block: DecoderBlock,
  config: DecoderConfig,
  stream: number,
): Promise<IntegerBlock> {
  const rows = (slot: SlotKey): Promise<IntegerRows> => rowsOf(block, config, slot);
  const norm = (key: NormKey, unit: number): Promise<IntegerOnlyNorm | null> =>
    toNorm(block.norms[key], config.norm.eps, unit);
  const attention = expectNorm(await norm("attention", stream), block);
  const mlp = expectNorm(await norm("mlp", stream), block);
  const query = project(await rows("query"), attention, headBits);
  const key = project(await rows("key"), attention, headBits);
  const value = project(await rows("value"), attention, headBits);
  const gate = project(await rows("gate"), mlp, gateBits);
  const up = project(await rows("up"), mlp, gateBits);
  const product = gate.unit * up.unit;
  const output = new IntegerOnlyLinear(await rows("output"), { input: value.unit, output: stream });
  const down = new IntegerOnlyLinear(await rows("down"), { input: product, output: stream });
  const heads = { query: await norm("query", query.unit), key: await norm("key", key.unit) };
  return {
    index: block.index,
    norms: { attention, mlp, ...heads },
    query,
    key,
    value,
    output: { linear: output, rounding: roundingOf(value.unit, output.input) },
    gate,
    up,
    gating: gatingOf(config, gate.unit, { product, down }),
    down,
  };
}

/** What is behind a norm's weights; null without a norm. */
export async function toNorm(
  weights: NormWeights | null | undefined,
  eps: number,
  unit: number,
): Promise<IntegerOnlyNorm | null> {
  return weights ? new IntegerOnlyNorm(await weights.weight.read(), eps, unit) : null;
}

async function rowsOf(
  block: DecoderBlock,
  { names }: DecoderConfig,
  slot: SlotKey,
): Promise<IntegerRows> {
  const name = names.slots[slot];
  const layer = block.slots.find((each) => each.name === name)?.layer;
  const rows = await layer?.integerRows?.();
  if (rows) return rows;
  throw new UnsupportedError(
    `${block.name}.${name} does not multiply 8-bit integers: nothing of its model can do without floats`,
    { hint: "quantize it to `w8-narrowa8` or `w8-narrowa8-integer`" },
  );
}

function expectNorm(norm: IntegerOnlyNorm | null, { name }: DecoderBlock): IntegerOnlyNorm {
  if (norm) return norm;
  throw new UnsupportedError(`${name} has no norm in front of attention or MLP`);
}

function project(rows: IntegerRows, norm: IntegerOnlyNorm, bits: number): Projection {
  const unit = outputUnit(rows, norm.gains, bits);
  const linear = new IntegerOnlyLinear(rows, { input: norm.unit, output: unit });
  return { linear, rounding: roundingOf(norm.unit, linear.input), unit };
}

function gatingOf(
  { activation }: DecoderConfig,
  gateUnit: number,
  { product, down }: { readonly product: number; readonly down: IntegerOnlyLinear },
): IntegerGateOptions {
  const kind = activation === "silu" ? "silu" : "gelu";
  const x = kind === "silu" ? gateUnit : gateUnit / Math.SQRT2;
  return {
    activation: kind,
    input: factorOf(x * 2 ** functionBits),
    fixed: down.input && fixedGate(product, down.input),
  };
}

function fixedGate(
  product: number,
  { scale, zeroPoint }: { readonly scale: number; readonly zeroPoint: number },
): NonNullable<IntegerGateOptions["fixed"]> {
  const bits = Math.max(0, Math.floor(Math.log2(scale / product)) - finerBits);
  return { bits, ...factorOf((product * 2 ** bits) / scale), zeroPoint };
}
