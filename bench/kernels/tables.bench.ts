import type { Backend } from "../../src/backend/backend.ts";
import type { PreparedOperand, Products } from "../../src/backend/packed-operand.ts";
import { createNativeBackend } from "../../src/kernels/native/native-backend.ts";
import { QTensor } from "../../src/quant/q-tensor.ts";
import { expectPlanar, parseScheme } from "../../src/quant/scheme.ts";
import { Tensor } from "../../src/tensor/tensor.ts";
import { floatsToHalves } from "../../src/util/half.ts";
import { Prng } from "../../src/util/prng.ts";
import { type Benchmark, goal, type Row, type Timing, timingOf } from "../harness.ts";

const outFeatures = 4096;
const inFeatures = 4096;
const rotateBytes = 96 * 2 ** 20;
const promptTokens = 128;
const rounds = 7;
/** Most time that a look-up may take, in times of the affine product. */
const mostTime = 1.25;

/** Schemes with tables, and the affine ones of as many bits and scales. */
const pairs = [
  ["w4g64-nf4", "w4g64-sym"],
  ["w4-codebook", "w4"],
  ["w3-codebook", "w3"],
  ["w2-codebook", "w2"],
] as const;

/** Products with values of tables against affine ones of the same bits, on one core, in turn. */
const benchmark: Benchmark = {
  name: "tables",
  title: `look-ups against affine products, ${outFeatures} × ${inFeatures}, one core`,
  run: async (note) => {
    const backend = createNativeBackend({ threads: 1 });
    note(`${backend.description}, weights rotate through ${rotateBytes / 2 ** 20} MiB`);
    const rows: Row[] = [];
    for (const pair of pairs) rows.push(...(await compare(backend, pair)));
    backend.close();
    return rows;
  },
};
export default benchmark;

async function compare(
  backend: Backend,
  [table, affine]: readonly [string, string],
): Promise<Row[]> {
  const weights = { table: makeWeights(backend, table), affine: makeWeights(backend, affine) };
  await expectClose(backend, weights.table[0]);
  const rows: Row[] = [];
  for (const products of ["fast", "exact"] as const) {
    const [one, many] = [randomInput(backend, 1), randomInput(backend, promptTokens)];
    // Exact products of one token are no rule of anything: fewer weights will do.
    const some = products === "fast" ? undefined : 2;
    const token = await processorTimes({
      table: () => multiply(backend, weights.table.slice(0, some), one, products),
      affine: () => multiply(backend, weights.affine.slice(0, some), one, products),
    });
    const prompt = await processorTimes({
      table: () => multiply(backend, weights.table.slice(0, 1), many, products),
      affine: () => multiply(backend, weights.affine.slice(0, 1), many, products),
    });
    const counts = weights.affine.length / weights.table.length;
    const what = `${table} over ${affine}, ${products}`;
    rows.push(ratio(`${what}, one token`, token, products === "fast" ? counts : 1));
    rows.push(ratio(`${what}, ${promptTokens} tokens`, prompt, 1));
  }
  return rows;
}

/** Processor time of each task in turn, in µs: what else runs on the machine counts little. */
async function processorTimes<Name extends string>(
  tasks: Readonly<Record<Name, () => Promise<unknown>>>,
): Promise<Record<Name, Timing>> {
  const names = Object.keys(tasks) as Name[];
  const taken = new Map(names.map((name) => [name, [] as number[]]));
  for (let round = 0; round <= rounds; round++) {
    for (const name of names) {
      const before = process.cpuUsage();
      await tasks[name]();
      const { user, system } = process.cpuUsage(before);
      if (round > 0) taken.get(name)?.push(user + system);
    }
  }
  const timings = [...taken].map(([name, times]) => [name, timingOf(times)] as const);
  return Object.fromEntries(timings) as Record<Name, Timing>;
}

/** Processor time of a weight with a table, in times of an affine one. */
function ratio(what: string, times: Record<"table" | "affine", Timing>, counts: number): Row {
  const value = (times.table.median / times.affine.median) * counts;
  const least = (times.table.least / times.affine.least) * counts;
  const spread = [Math.min(value, least), Math.max(value, least)] as const;
  return { what, value, unit: "×", spread, goal: goal(value, mostTime, "×", true) };
}

/** Weights of random codes that together are larger than any cache. */
function makeWeights(backend: Backend, id: string): PreparedOperand[] {
  const scheme = expectPlanar(parseScheme(id));
  const random = new Prng(1);
  const sizes = QTensor.sizes(scheme, outFeatures, inFeatures);
  const { levels, codebook } = scheme.grid;
  const make = (): QTensor => {
    const codes = new Uint8Array(sizes.codes);
    const words = new Uint32Array(codes.buffer);
    for (let i = 0; i < words.length; i++) words[i] = random.uniform() * 2 ** 32;
    const values = Float32Array.from({ length: outFeatures * levels }, () => random.normal());
    return new QTensor(scheme, outFeatures, inFeatures, {
      codes,
      scales: new Uint16Array(sizes.scales / 2).fill(0x2000),
      zeros: sizes.zeros > 0 ? new Uint8Array(sizes.zeros).fill(0x55) : null,
      ...(codebook && { codebook: floatsToHalves(values) }),
      activations: null,
    });
  };
  const count = Math.ceil(rotateBytes / sizes.all);
  return Array.from({ length: count }, () => backend.prepare(make().operand()));
}

function randomInput(backend: Backend, tokens: number): Tensor<"f32"> {
  const random = new Prng(2);
  const values = Float32Array.from({ length: tokens * inFeatures }, () => random.normal());
  return Tensor.from(backend, "f32", [tokens, inFeatures], values);
}

async function multiply(
  backend: Backend,
  weights: readonly PreparedOperand[],
  x: Tensor<"f32">,
  products: Products,
): Promise<Float32Array> {
  const out = Tensor.empty(backend, "f32", [x.shape[0] ?? 0, outFeatures]);
  for (const weight of weights) backend.kernels.packedMatmul(out, x, weight, products);
  await backend.synchronize();
  const values = await out.read();
  out.release();
  return values;
}

/** Fast products must be near exact ones before anything is timed. */
async function expectClose(backend: Backend, weight: PreparedOperand): Promise<void> {
  const x = randomInput(backend, 1);
  const [exact, fast] = [
    await multiply(backend, [weight], x, "exact"),
    await multiply(backend, [weight], x, "fast"),
  ];
  let [difference, size] = [0, 0];
  for (const [i, value] of exact.entries()) {
    difference += (fast[i] - value) ** 2;
    size += value ** 2;
  }
  const error = Math.sqrt(difference / size);
  if (!(error < 0.03)) throw new Error(`fast products are off by ${error} of their size`);
}
