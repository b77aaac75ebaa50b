import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import type { Backend } from "../../../src/backend/backend.ts";
import { createReferenceBackend } from "../../../src/kernels/reference/index.ts";
import {
  integerAdd,
  integerAttention,
  integerGate,
  integerLinear,
  integerLookUp,
  integerNorm,
  integerRope,
  integerRound,
  integerRoundHeads,
  integerToFloat,
} from "../../../src/tensor/integer-only-ops.ts";
import { Tensor } from "../../../src/tensor/tensor.ts";
import { Prng } from "../../../src/util/prng.ts";

type Pair = readonly [multiplier: number, shift: number];
type Head = readonly [codes: readonly number[], factor: Pair];

interface Golden {
  readonly norm: readonly {
    readonly x: readonly number[];
    readonly weights: readonly number[];
    readonly epsilon: number;
    readonly out: readonly number[];
  }[];
  readonly gate: readonly {
    readonly kind: "silu" | "gelu";
    readonly gate: readonly number[];
    readonly up: readonly number[];
    readonly input: Pair;
    readonly codes: readonly number[];
    readonly factor: Pair;
  }[];
  readonly attention: readonly {
    readonly query: Head;
    readonly keys: readonly Head[];
    readonly values: readonly Head[];
    readonly score: Pair;
    readonly out: readonly number[];
  }[];
  readonly rope: Readonly<Record<"x" | "cos" | "sin" | "out", readonly number[]>>;
  readonly wide: readonly {
    readonly codes: readonly number[];
    readonly rows: readonly (readonly number[])[];
    readonly factors: readonly Pair[];
    readonly offsets: readonly number[];
    readonly bias: readonly number[];
    readonly magnitude: Pair | null;
    readonly out: readonly number[];
  }[];
  readonly round: readonly {
    readonly x: readonly number[];
    readonly codes: readonly number[];
    readonly factor: Pair;
  }[];
}

const golden = JSON.parse(
  readFileSync(new URL("../../golden/integer-only.json", import.meta.url), "utf8"),
) as Golden;

/** Checks the ops of forward passes without floats. */
export function testIntegerOnlyOps(open: () => Backend): void {
  describe("without floats", () => {
    testAgainstGolden(open);

    test.each([
      [1, 1, 4, 8, 1],
      [2, 5, 6, 16, 3],
      [1, 33, 9, 64, 3],
    ] as const)("%d x %d tokens, %d heads of %d over %d: the bytes of reference", async (...of) => {
      expect(await runAll(open(), of)).toEqual(await runAll(createReferenceBackend(), of));
    });

    test("sums saturate", async () => {
      const x = int32(open(), [2], [2 ** 31 - 1, -(2 ** 31)]);
      expect([...(await integerAdd(x, x).read())]).toEqual([2 ** 31 - 1, -(2 ** 31)]);
    });
  });
}

function testAgainstGolden(open: () => Backend): void {
  test("norms, gates and rounded rows are those of Python's integers", async () => {
    for (const { x, weights, epsilon, out } of golden.norm) {
      const options = { weights: Int32Array.from(weights), epsilon };
      const made = integerNorm(int32(open(), [1, x.length], x), options);
      expect([...(await made.read())]).toEqual(out);
    }
    for (const { kind, gate, up, input, codes, factor } of golden.gate) {
      const [gates, ups] = [gate, up].map((values) => int32(open(), [1, gate.length], values));
      const options = { activation: kind, input: factorOf(input), fixed: null };
      const made = integerGate(gates, ups, options);
      expect([...(await made.codes.read())]).toEqual(codes);
      expect([...((await made.factors?.read()) ?? [])]).toEqual(factor);
    }
    for (const { x, codes, factor } of golden.round) {
      const made = integerRoundHeads(int32(open(), [1, x.length], x));
      expect([...(await made.codes.read())]).toEqual(codes);
      expect([...(await made.factors.read())]).toEqual(factor);
    }
  });

  test("attention, rotation and products are those of Python's integers", async () => {
    for (const { query, keys, values, score, out } of golden.attention) {
      const [q, k, v] = [[query], keys, values].map((heads) => roundedHeads(open(), heads));
      const options = { score: factorOf(score), keyLength: keys.length };
      expect([...(await integerAttention(q, k, v, options).read())]).toEqual(out);
    }
    const { x, cos, sin, out } = golden.rope;
    const tables = [cos, sin].map((table) => int32(open(), [1, table.length], table));
    const turned = integerRope(int32(open(), [1, 1, 1, x.length], x), tables[0], tables[1], 0);
    expect([...(await turned.read())]).toEqual(out);
    for (const each of golden.wide) {
      const codes = Tensor.from(open(), "u8", [1, 70], Uint8Array.from(each.codes));
      const factors = each.magnitude && int32(open(), [1, 2], each.magnitude);
      const [outFeatures, values] = [each.rows.length, Int8Array.from(each.rows.flat())];
      const weight = { outFeatures, inFeatures: 70, values };
      const wide = { ...arraysOf(each.factors), bias: Int32Array.from(each.bias) };
      const made = integerLinear({ codes, factors }, weight, Int32Array.from(each.offsets), wide);
      expect([...(await made.read())]).toEqual(each.out);
    }
  });
}

function int32(backend: Backend, shape: readonly number[], values: Iterable<number>) {
  return Tensor.from(backend, "i32", shape, Int32Array.from(values));
}

function factorOf([multiplier, shift]: Pair) {
  return { multiplier, shift };
}

function arraysOf(factors: readonly Pair[]) {
  return {
    multipliers: Int32Array.from(factors, ([multiplier]) => multiplier),
    shifts: Int32Array.from(factors, ([, shift]) => shift),
  };
}

function roundedHeads(backend: Backend, heads: readonly Head[]) {
  const [width, count] = [heads[0][0].length, heads.length];
  const codes = Int8Array.from(heads.flatMap(([row]) => row));
  return {
    codes: Tensor.from(backend, "i8", [1, count, 1, width], codes),
    factors: int32(
      backend,
      [1, count, 1, 2],
      heads.flatMap(([, factor]) => factor),
    ),
  };
}

/** What every op makes of drawn integers, on the way of a block. */
async function runAll(
  backend: Backend,
  [batch, length, heads, width, kvHeads]: readonly [number, number, number, number, number],
): Promise<Record<string, readonly number[]>> {
  const random = new Prng(batch + length + heads);
  const draw = (count: number, bits: number) =>
    Array.from({ length: count }, () => Math.floor((random.uniform() - 0.5) * 2 ** bits));
  const [rows, hidden] = [batch * length, heads * width];
  const table = { outFeatures: 7, inFeatures: hidden, values: Int8Array.from(draw(7 * hidden, 8)) };
  const factors = arraysOf(draw(7, 4).map((shift) => [2 ** 30 + 12345, shift - 12] as const));
  const stream = integerLookUp(
    table,
    int32(
      backend,
      [batch, length],
      draw(rows, 30).map((id) => Math.abs(id) % 7),
    ),
    factors,
  );
  const weights = Int32Array.from(draw(hidden, 22));
  const normed = integerNorm(stream, { weights, epsilon: 12345678 });
  const fixed = { multiplier: 2 ** 30 + 99, shift: 20, zeroPoint: 100 };
  const cut = { ...fixed, bits: 22, shift: 6 };
  const split = (values: readonly number[], count: number) =>
    int32(backend, [batch, length, count, width], values);
  const q = integerRoundHeads(normed.reshape([batch, length, heads, width]));
  const [k, v] = [28, 20].map((bits) =>
    integerRoundHeads(split(draw(rows * kvHeads * width, bits), kvHeads)),
  );
  const score = { multiplier: 2 ** 30 + 4321, shift: 52 };
  const gate = int32(backend, [rows, hidden], draw(rows * hidden, 26));
  const up = int32(backend, [rows, hidden], draw(rows * hidden, 24));
  const input = { multiplier: 2 ** 30 + 7, shift: 7 };
  const made: Record<string, Tensor | null> = {
    stream,
    normed,
    sum: integerAdd(stream, normed),
    rounded: integerRound(normed, fixed).codes,
    ...named("own", integerRound(normed, null)),
    ...named("queries", q),
    attended: integerAttention(q, k, v, { score, keyLength: length }),
    windowed: integerAttention(q, k, v, { score, keyLength: length, window: 2 }),
    ...named("silu", integerGate(gate, up, { activation: "silu", input, fixed: null })),
    ...named("gelu", integerGate(gate, up, { activation: "gelu", input, fixed: null })),
    gated: integerGate(gate, up, { activation: "silu", input, fixed: cut }).codes,
    floats: integerToFloat(normed, 2 ** -14),
  };
  const entries = Object.entries(made).map(async ([name, tensor]) => {
    return [name, tensor ? Array.from((await tensor.read()) as Int32Array) : []] as const;
  });
  return Object.fromEntries(await Promise.all(entries));
}

function named(
  name: string,
  { codes, factors }: { readonly codes: Tensor; readonly factors: Tensor | null },
): Record<string, Tensor | null> {
  return { [name]: codes, [`${name} factors`]: factors };
}
