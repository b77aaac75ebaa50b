import { describe, test } from "vitest";
import type { Backend } from "../../../src/backend/backend.ts";
import type { AttentionOptions, TensorView } from "../../../src/backend/kernels.ts";
import { putFourBitCodes } from "../../../src/tensor/four-bit-rows.ts";
import { Prng } from "../../../src/util/prng.ts";
import { blankOutput, floatSample, normalSample, type Sample, upload } from "./data.ts";
import { expectSame, expectWithin } from "./expect-within.ts";
import { type AttentionShape, attentionFormula } from "./formulas.ts";
import { remember } from "./remember.ts";

interface AttentionCase {
  readonly law: string;
  readonly shape: AttentionShape;
  readonly keyLength: number;
  readonly window?: number;
  readonly softCap?: number;
  /** Spread of queries and keys; large ones make the softmax pick one key. */
  readonly spread?: number;
}

/** Written as heads/kvHeads × headDim, length of the queries, keys of the cache. */
const cases: readonly AttentionCase[] = [
  { law: "one token sees itself", shape: shapeOf(1, 1, 1, 1, 1, 1), keyLength: 1 },
  { law: "decode over a partly filled cache", shape: shapeOf(1, 1, 4, 2, 20, 50), keyLength: 37 },
  { law: "decode over a long cache", shape: shapeOf(2, 1, 6, 2, 64, 700), keyLength: 650 },
  { law: "prefill from an empty cache", shape: shapeOf(2, 33, 4, 4, 16, 40), keyLength: 33 },
  { law: "prefill behind earlier tokens", shape: shapeOf(1, 19, 8, 2, 24, 300), keyLength: 211 },
  { law: "one key head for all heads", shape: shapeOf(2, 9, 6, 1, 128, 9), keyLength: 9 },
  { law: "an odd head width", shape: shapeOf(1, 7, 3, 3, 5, 12), keyLength: 11 },
  { law: "a window in decode", shape: shapeOf(2, 1, 4, 2, 32, 90), keyLength: 90, window: 13 },
  { law: "a window in prefill", shape: shapeOf(1, 75, 4, 2, 8, 120), keyLength: 101, window: 20 },
  { law: "a window of one key", shape: shapeOf(1, 40, 2, 2, 8, 40), keyLength: 40, window: 1 },
  {
    law: "a window wider than the text",
    shape: shapeOf(1, 9, 2, 1, 8, 9),
    keyLength: 9,
    window: 99,
  },
  { law: "eight heads a key head", shape: shapeOf(1, 1, 16, 2, 64, 400), keyLength: 385 },
  { law: "eleven key heads in decode", shape: shapeOf(2, 2, 11, 11, 40, 150), keyLength: 140 },
  { law: "two tokens over a long cache", shape: shapeOf(1, 2, 8, 2, 32, 300), keyLength: 290 },
  { law: "long prefill", shape: shapeOf(1, 200, 2, 1, 64, 260), keyLength: 257 },
  { law: "capped scores", shape: shapeOf(2, 40, 4, 2, 16, 90), keyLength: 81, softCap: 1.5 },
  {
    law: "capped scores in decode",
    shape: shapeOf(1, 1, 4, 2, 16, 90),
    keyLength: 81,
    softCap: 0.7,
  },
  { law: "scores in the hundreds", shape: shapeOf(1, 40, 2, 2, 16, 90), keyLength: 81, spread: 12 },
];

interface PagedCase extends Pick<AttentionCase, "law" | "window" | "softCap"> {
  readonly heads: number;
  readonly kvHeads: number;
  readonly headDim: number;
  readonly blockSize: number;
  /** Rows of each text, and the position of the first. */
  readonly texts: readonly (readonly [rows: number, position: number])[];
}

const pagedCases: readonly PagedCase[] = [
  { law: "one token sees itself", heads: 1, kvHeads: 1, headDim: 1, blockSize: 1, texts: [[1, 0]] },
  {
    law: "texts that are decoded beside a prompt",
    heads: 4,
    kvHeads: 2,
    headDim: 20,
    blockSize: 16,
    texts: [
      [1, 36],
      [19, 5],
      [1, 0],
      [0, 3],
      [1, 63],
    ],
  },
  {
    law: "blocks that are no whole vectors, odd heads",
    heads: 6,
    kvHeads: 3,
    headDim: 5,
    blockSize: 7,
    window: 9,
    texts: [
      [3, 11],
      [15, 0],
      [1, 30],
    ],
  },
  {
    law: "one key head for all heads, capped scores",
    heads: 8,
    kvHeads: 1,
    headDim: 64,
    blockSize: 32,
    softCap: 1.5,
    texts: [
      [1, 130],
      [9, 60],
    ],
  },
];

/** Checks `attention`, `pagedAttention` and `rope`. */
export function testAttentionOps(open: () => Backend): void {
  describe("attention", () => {
    for (const entry of cases) {
      for (const dtype of ["f32", "f16", "i8", "u8"] as const) {
        const title = `${entry.law}, ${dtype}: softmax(q·kᵀ)·v over the visible keys`;
        test(title, () => check(open(), entry, dtype));
      }
    }
  });

  describe("pagedAttention", () => {
    for (const entry of pagedCases) {
      for (const dtype of ["f32", "f16", "i8", "u8"] as const) {
        const title = `${entry.law}, ${dtype}: softmax(q·kᵀ)·v over the keys of each row's text`;
        test(title, () => checkPaged(open(), entry, dtype));
      }
    }
  });

  describe("rope", () => {
    for (const [batch, length, heads, headDim, start] of [
      [1, 1, 1, 2, 0],
      [2, 3, 3, 20, 4],
      [1, 5, 2, 64, 0],
      [2, 1, 4, 128, 7],
      [1, 4, 1, 6, 1],
    ] as const) {
      const title = `[${batch}, ${length}, ${heads}, ${headDim}] from position ${start}`;
      test(`rotates the halves of ${title}, also in place`, () =>
        checkRope(open(), [batch, length, heads, headDim], start));
    }
  });
}

function shapeOf(
  batch: number,
  length: number,
  heads: number,
  kvHeads: number,
  headDim: number,
  capacity: number,
): AttentionShape {
  return { batch, length, heads, kvHeads, headDim, capacity };
}

async function check(backend: Backend, entry: AttentionCase, dtype: CacheDType): Promise<void> {
  const { shape, keyLength, window, softCap, spread = 1 } = entry;
  const { batch, length, heads, kvHeads, headDim, capacity } = shape;
  const q = normalSample([batch, length, heads, headDim], 1, "f32", spread);
  const k = cacheSample([batch, capacity, kvHeads, headDim], 2, dtype, spread);
  const v = cacheSample([batch, capacity, kvHeads, headDim], 3, dtype, 1);
  for (let b = 0; b < batch; b++) {
    // What lies behind the valid keys must not be looked at.
    const unused = [b * capacity + keyLength, (b + 1) * capacity] as const;
    for (const cache of [k, v]) spoil(cache, unused[0] * kvHeads, unused[1] * kvHeads);
  }
  const options: AttentionOptions = {
    scale: 1 / Math.sqrt(headDim),
    keyLength,
    ...(window ? { window } : {}),
    ...(softCap ? { softCap } : {}),
    ...(k.scales && { keyScales: upload(backend, k.scales) }),
    ...(v.scales && { valueScales: upload(backend, v.scales) }),
  };
  const out = blankOutput(backend, q.shape);
  const [qs, ks, vs] = [upload(backend, q), upload(backend, k), upload(backend, v)];
  backend.kernels.attention(out, qs, ks, vs, options);
  const exact = remember(`${entry.law}, ${dtype}`, () =>
    attentionFormula(shape, q.values, k.values, v.values, options),
  );
  // A score's rounding error is a relative error of its weight.
  expectWithin(await out.read(), exact, { relative: 3e-6 * spread ** 2 });
}

async function checkPaged(backend: Backend, entry: PagedCase, dtype: CacheDType): Promise<void> {
  const { heads, kvHeads, headDim, blockSize, texts, window, softCap } = entry;
  const widths = texts.map(([rows, position]) => Math.ceil((rows + position) / blockSize));
  const width = Math.max(...widths) + 1;
  const count = widths.reduce((sum, each) => sum + each, 1);
  // Blocks lie in the opposite order of the texts; what no row sees leads nowhere.
  const tables = new Int32Array(texts.length * width).fill(-7);
  let next = count;
  for (const [t, used] of widths.entries()) {
    for (let b = 0; b < used; b++) tables[t * width + b] = --next;
  }
  const slotOf = (t: number, key: number) =>
    tables[t * width + Math.floor(key / blockSize)] * blockSize + (key % blockSize);
  const slots = count * blockSize;
  const k = cacheSample([1, slots, kvHeads, headDim], 2, dtype, 1);
  const v = cacheSample([1, slots, kvHeads, headDim], 3, dtype, 1);
  const used = new Set(
    texts.flatMap(([rows, position], t) =>
      Array.from({ length: rows + position }, (_, key) => slotOf(t, key)),
    ),
  );
  for (let slot = 0; slot < slots; slot++) {
    if (used.has(slot)) continue;
    for (const cache of [k, v]) spoil(cache, slot * kvHeads, (slot + 1) * kvHeads);
  }
  const rows = texts.reduce((sum, [each]) => sum + each, 0);
  const q = normalSample([rows, heads, headDim], 1);
  const flat = (sample: Sample): TensorView => {
    return { ...upload(backend, sample), shape: sample.shape.slice(1) };
  };
  const scale = 1 / Math.sqrt(headDim);
  const more = { ...(window && { window }), ...(softCap && { softCap }) };
  const spans = Int32Array.from(texts.flat());
  const out = blankOutput(backend, q.shape);
  backend.kernels.pagedAttention(out, upload(backend, q), flat(k), flat(v), {
    scale,
    ...more,
    blockSize,
    spans: upload(backend, {
      dtype: "i32",
      shape: [texts.length, 2],
      array: spans,
      values: noValues,
    }),
    tables: upload(backend, {
      dtype: "i32",
      shape: [texts.length, width],
      array: tables,
      values: noValues,
    }),
    ...(k.scales && { keyScales: flat(k.scales) }),
    ...(v.scales && { valueScales: flat(v.scales) }),
  });
  const [values, magnitudes]: [number[], number[]] = [[], []];
  let first = 0;
  for (const [t, [length, position]] of texts.entries()) {
    const keyLength = position + length;
    const gather = (all: Float64Array) => {
      const wide = kvHeads * headDim;
      const parts = Array.from({ length: keyLength }, (_, key) => slotOf(t, key) * wide);
      return Float64Array.from(parts.flatMap((at) => [...all.subarray(at, at + wide)]));
    };
    const shape = { batch: 1, length, heads, kvHeads, headDim, capacity: keyLength };
    const own = q.values.subarray(first * heads * headDim, (first + length) * heads * headDim);
    const options = { scale, keyLength, ...more };
    const exact = attentionFormula(shape, own, gather(k.values), gather(v.values), options);
    values.push(...exact.values);
    magnitudes.push(...exact.magnitudes);
    first += length;
  }
  const exact = { values: Float64Array.from(values), magnitudes: Float64Array.from(magnitudes) };
  expectWithin(await out.read(), exact, { relative: 3e-6 });
}

const noValues = new Float64Array(0);

/** With u8, two values of four bits in each. */
type CacheDType = "f32" | "f16" | "i8" | "u8";

/** Keys or values; integer ones have a scale a row. */
interface CacheSample extends Sample {
  readonly scales: Sample | null;
}

function cacheSample(
  shape: readonly [number, number, number, number],
  seed: number,
  dtype: CacheDType,
  spread: number,
): CacheSample {
  if (dtype !== "i8" && dtype !== "u8") {
    return { ...normalSample(shape, seed, dtype, spread), scales: null };
  }
  const headDim = shape[3];
  const [top, usual] = dtype === "i8" ? [127, 40] : [7, 3];
  const normal = normalSample(shape, seed, "f32", usual).array as Float32Array;
  const codes = Int8Array.from(normal, (x) => Math.max(-top, Math.min(top, Math.round(x))));
  const random = new Prng(seed);
  const rows = codes.length / headDim;
  const steps = Float32Array.from(
    { length: rows },
    () => (spread * (0.5 + random.uniform())) / usual,
  );
  const values = Float64Array.from(codes, (code, i) => code * steps[Math.floor(i / headDim)]);
  const scales = floatSample(shape.slice(0, 3), steps);
  if (dtype === "i8") return { dtype, shape, array: codes, values, scales };
  const width = Math.ceil(headDim / 2);
  const array = new Uint8Array(rows * width);
  for (let row = 0; row < rows; row++) {
    putFourBitCodes(array, row * width, codes.subarray(row * headDim, (row + 1) * headDim));
  }
  return { dtype, shape: [...shape.slice(0, 3), width], array, values, scales };
}

/** Makes the rows from `start` to `end` of a cache NaN. */
function spoil({ array, scales, shape, dtype }: CacheSample, start: number, end: number): void {
  const headDim = shape[3] ?? 0;
  const nan = dtype === "f16" ? 0x7e00 : Number.NaN;
  if (scales) (scales.array as Float32Array).fill(Number.NaN, start, end);
  else (array as Float32Array).fill(nan, start * headDim, end * headDim);
}

async function checkRope(
  backend: Backend,
  shape: readonly [number, number, number, number],
  start: number,
): Promise<void> {
  const [, length, heads, headDim] = shape;
  const half = headDim / 2;
  const x = normalSample(shape, 4);
  const [cos, sin] = [normalSample([12, half], 5), normalSample([12, half], 6)];
  const out = blankOutput(backend, shape);
  const inPlace = upload(backend, x);
  const [c, s] = [upload(backend, cos), upload(backend, sin)];
  backend.kernels.rope(out, upload(backend, x), c, s, start);
  backend.kernels.rope(inPlace, inPlace, c, s, start);
  const values = new Float64Array(x.values.length);
  const magnitudes = new Float64Array(x.values.length);
  for (let i = 0; i < values.length; i++) {
    const within = i % headDim;
    const row = Math.floor(i / (heads * headDim)) % length;
    const angle = (start + row) * half + (within % half);
    const other = within < half ? -x.values[i + half] : x.values[i - half];
    const terms = [x.values[i] * cos.values[angle], other * sin.values[angle]];
    values[i] = terms[0] + terms[1];
    magnitudes[i] = Math.abs(terms[0]) + Math.abs(terms[1]);
  }
  const actual = await out.read();
  expectWithin(actual, { values, magnitudes }, { relative: 2e-7 });
  expectSame((await inPlace.read()) as Float32Array, actual);
}
