import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import {
  createNativeBackend,
  type NativeBackend,
} from "../../src/kernels/native/native-backend.ts";
import { add, rmsNorm } from "../../src/tensor/ops.ts";
import { linear } from "../../src/tensor/products.ts";
import { Tensor, tidy } from "../../src/tensor/tensor.ts";
import { Prng } from "../../src/util/prng.ts";
import { type Benchmark, goal, interleave, type Row, type Timing, timingOf } from "../harness.ts";

const width = 4096;
const tokens = 512;
const rounds = Number(process.env["FEWBIT_BENCH_ROUNDS"] ?? 9);
const layers = 22;
/** Rows of bfloat16 matrices that take as many bytes as those of a 1.1 B model at 2.25 bits. */
const decodeRows = [288, 36, 36, 288, 792, 792, 792];
const decodeWidth = 2048;
const idleMs = 400;

/** What is timed, on one backend. */
interface Workload {
  readonly backend: NativeBackend;
  readonly prefill: () => Promise<void>;
  readonly decode: () => Promise<void>;
}

/**
 * Two threads against one: a prefill-like product, and a decode-like row of many short dependent
 * ops, alone and beside busy processes. Then what the pool costs while nothing is to be done.
 */
const benchmark: Benchmark = {
  name: "threads",
  title:
    `one and two threads: ${tokens} × ${width} × ${width}, and ${layers * 13} short ops in ` +
    "a row",
  run: async (note) => {
    const weights = makeWeights();
    const one = makeWorkload(createNativeBackend({ threads: 1 }), weights);
    const two = makeWorkload(createNativeBackend({ threads: 2 }), weights);
    await checkSame(one.backend, two.backend, weights);
    const rows: Row[] = [];
    for (const count of [0, 1, 2]) {
      const others = await Promise.all(Array.from({ length: count }, startBusyProcess));
      try {
        rows.push(...(await compare(one, two, count)));
      } finally {
        for (const other of others) other.kill("SIGKILL");
      }
      note(`${beside(count)}: done`);
    }
    rows.push(await idleRow(two));
    one.backend.close();
    two.backend.close();
    return rows;
  },
};
export default benchmark;

function makeWeights(): Uint16Array {
  const random = new Prng(1);
  const count = layers * decodeWidth * decodeRows.reduce((sum, rows) => sum + rows);
  const weights = new Uint16Array(count);
  // bfloat16 numbers of magnitude 2^-6 to 2^-4.
  for (let i = 0; i < count; i++) weights[i] = 0x3c80 + (random.uint32() & 0x80ff);
  return weights;
}

function makeWorkload(backend: NativeBackend, weights: Uint16Array): Workload {
  let at = 0;
  const matrix = (rows: number, columns: number): Tensor => {
    const array = weights.subarray(at, at + rows * columns);
    at += rows * columns;
    return Tensor.from(backend, "bf16", [rows, columns], array);
  };
  const blocks = Array.from({ length: layers }, () =>
    decodeRows.map((rows) => matrix(rows, decodeWidth)),
  );
  at = 0;
  const square = matrix(width, width);
  const random = new Prng(2);
  const sample = (rows: number, columns: number): Tensor<"f32"> => {
    const values = Float32Array.from({ length: rows * columns }, () => random.uniform() - 0.5);
    return Tensor.from(backend, "f32", [rows, columns], values);
  };
  const inputs = sample(tokens, width);
  const state = sample(1, decodeWidth);
  const gain = Tensor.from(backend, "f32", [decodeWidth], new Float32Array(decodeWidth).fill(1));
  return {
    backend,
    prefill: async () => {
      linear(inputs, square).release();
      await backend.synchronize();
    },
    decode: async () => {
      tidy(() => {
        for (const block of blocks) {
          const norm = rmsNorm(state, gain, 1e-5);
          for (const [i, weight] of block.entries()) {
            linear(norm, weight);
            if (i % 2 === 0) add(norm, state);
          }
        }
        return null;
      });
      await backend.synchronize();
    },
  };
}

/** The products of both backends must have the same bits. */
async function checkSame(a: NativeBackend, b: NativeBackend, weights: Uint16Array): Promise<void> {
  const results = [a, b].map((backend) => {
    const x = Tensor.from(backend, "f32", [tokens, 64], new Float32Array(tokens * 64).fill(0.3));
    return linear(x, Tensor.from(backend, "bf16", [999, 64], weights.subarray(0, 999 * 64))).read();
  });
  const [left, right] = await Promise.all(results);
  if (left?.some((value, i) => value !== right?.[i])) {
    throw new Error("two threads give another result than one");
  }
}

async function compare(one: Workload, two: Workload, count: number): Promise<Row[]> {
  const where = beside(count);
  const times = await interleave(
    {
      prefillOne: one.prefill,
      prefillTwo: two.prefill,
      decodeOne: one.decode,
      decodeTwo: two.decode,
    },
    rounds,
  );
  const bounds = count === 0 ? { prefill: 1.7, decode: 0.9 } : { prefill: 0.9, decode: 0.9 };
  return [
    timeRow(`prefill, 1 thread, ${where}`, times.prefillOne),
    timeRow(`prefill, 2 threads, ${where}`, times.prefillTwo),
    ratioRow(
      `prefill, speed of two over one, ${where}`,
      times.prefillOne,
      times.prefillTwo,
      bounds.prefill,
    ),
    timeRow(`decode, 1 thread, ${where}`, times.decodeOne),
    timeRow(`decode, 2 threads, ${where}`, times.decodeTwo),
    ratioRow(
      `decode, speed of two over one, ${where}`,
      times.decodeOne,
      times.decodeTwo,
      bounds.decode,
    ),
  ];
}

function timeRow(what: string, { median, least, most }: Timing): Row {
  return { what, value: median * 1000, unit: "ms", spread: [least * 1000, most * 1000] };
}

function ratioRow(what: string, one: Timing, two: Timing, bound: number): Row {
  const value = one.median / two.median;
  return { what, value, unit: "×", goal: goal(value, bound, "×") };
}

function beside(count: number): string {
  if (count === 0) return "alone";
  return `beside ${count} busy ${count === 1 ? "process" : "processes"}`;
}

/** Starts a process that never sleeps, of the same priority as this one. */
async function startBusyProcess(): Promise<ChildProcess> {
  const child = spawn(process.execPath, ["-e", "console.log('busy'); for (;;);"], {
    stdio: ["ignore", "pipe", "ignore"],
  });
  if (child.stdout) await once(child.stdout, "data");
  return child;
}

/** Processor time that an idle pool uses, as a share of one core. */
async function idleRow({ decode }: Workload): Promise<Row> {
  const shares: number[] = [];
  for (let i = 0; i < 5; i++) {
    await decode();
    const before = process.cpuUsage();
    const started = performance.now();
    await new Promise((resolve) => setTimeout(resolve, idleMs));
    const used = process.cpuUsage(before);
    shares.push((used.user + used.system) / 10 / (performance.now() - started));
  }
  const { median, least, most } = timingOf(shares);
  const what = "processor time of the idle pool, of one core";
  return {
    what,
    value: median,
    unit: "%",
    spread: [least, most],
    goal: goal(median, 1, "%", true),
  };
}
