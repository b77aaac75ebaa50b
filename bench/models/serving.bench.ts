import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createNativeBackend } from "../../src/kernels/native/native-backend.ts";
import type { LanguageModel } from "../../src/runtime/language-model.ts";
import { load } from "../../src/runtime/load.ts";
import { Engine } from "../../src/runtime/serving/engine.ts";
import { type Benchmark, goal, type Row, timingOf } from "../harness.ts";
import { billionShape } from "./random-checkpoint.ts";
import { writeRandomPackedCheckpoint } from "./random-packed-checkpoint.ts";

const layers = Number(process.env["FEWBIT_BENCH_LAYERS"] ?? 22);
const rounds = Number(process.env["FEWBIT_BENCH_ROUNDS"] ?? 3);
const threads = Number(process.env["FEWBIT_THREADS"] ?? 2);
const crowds = [1, 4, 8, 16] as const;
const decoded = 24;
const sharedTokens = 2000;

/** Seconds of a decoded token of all streams together. */
interface Cost {
  readonly wall: number;
  /** Of all threads. */
  readonly processor: number;
}

/**
 * Streams of one engine side by side on a random 1.1 B Llama shape, in turns; and a long beginning
 * that a second request shares with the first.
 */
const benchmark: Benchmark = {
  name: "serving",
  title: `streams side by side, 1.1 B Llama shape with ${layers} layers, ${threads} threads`,
  run: async (note) => {
    const folder = mkdtempSync(join(tmpdir(), "fewbit-bench-"));
    const rows: Row[] = [];
    try {
      for (const scheme of ["w4g64", "w2g64"]) {
        const directory = join(folder, scheme);
        const shape = billionShape(layers);
        await writeRandomPackedCheckpoint(directory, {
          shape,
          scheme,
          headScheme: "w4g64",
          seed: 1,
        });
        const backend = createNativeBackend({ threads });
        const model = await load(directory, { backend });
        note(`${scheme}: ${backend.description}`);
        rows.push(...(await streams(model, scheme)), ...(await sharedBeginning(model, scheme)));
        model.release();
        backend.close();
      }
    } finally {
      rmSync(folder, { recursive: true });
    }
    return rows;
  },
};
export default benchmark;

async function streams(model: LanguageModel, scheme: string): Promise<Row[]> {
  const engine = new Engine(model, { maxContext: 512, cacheTokens: 8192, prefixCache: false });
  const costs = new Map<number, Cost[]>(crowds.map((count) => [count, []]));
  await decodeTogether(engine, 1);
  for (let round = 0; round < rounds; round++) {
    for (const count of crowds) costs.get(count)?.push(await decodeTogether(engine, count));
  }
  await engine.close();
  const median = (count: number, kind: keyof Cost): number =>
    timingOf((costs.get(count) ?? []).map((cost) => cost[kind])).median;
  return crowds.flatMap((count) => {
    const speedup = median(1, "wall") / median(count, "wall");
    const rate = 1 / median(count, "wall");
    const what = `${scheme}, ${count} streams`;
    const first: Row = { what, value: rate, unit: "tokens/s" };
    if (count === 1) return [first];
    const row: Row = { what: `${what} over one`, value: speedup, unit: "×" };
    const busy = median(1, "processor") / median(count, "processor");
    return [
      first,
      count === 8 ? { ...row, goal: goal(speedup, 4, "×") } : row,
      { what: `${what} over one, by processor time`, value: busy, unit: "×" },
    ];
  });
}

/** Decodes texts side by side; times what comes behind the first token of each. */
async function decodeTogether(engine: Engine, count: number): Promise<Cost> {
  let begun = 0;
  let [started, used] = [0, process.cpuUsage()];
  let tokens = 0;
  const read = async (stream: number): Promise<void> => {
    const prompt = Array.from({ length: 16 }, (_, i) => 300 + ((i * 7919 + stream * 31) % 20000));
    let first = true;
    for await (const _ of engine.submit({ prompt, maxTokens: decoded, ignoreEos: true })) {
      if (begun === count) tokens++;
      if (!first) continue;
      first = false;
      begun++;
      if (begun === count) [started, used, tokens] = [performance.now(), process.cpuUsage(), 0];
    }
  };
  await Promise.all(Array.from({ length: count }, (_, stream) => read(stream)));
  const { user, system } = process.cpuUsage(used);
  return {
    wall: (performance.now() - started) / 1000 / tokens,
    processor: (user + system) / 1e6 / tokens,
  };
}

async function sharedBeginning(model: LanguageModel, scheme: string): Promise<Row[]> {
  const engine = new Engine(model, { maxContext: 2048, cacheTokens: 4096 });
  const beginning = Array.from({ length: sharedTokens }, (_, i) => 300 + ((i * 7919) % 20000));
  const firstToken = async (last: number): Promise<number> => {
    const started = performance.now();
    const stream = engine.submit({ prompt: [...beginning, last], maxTokens: 1, ignoreEos: true });
    await stream.next();
    const seconds = (performance.now() - started) / 1000;
    await stream.next();
    return seconds;
  };
  const [first, second] = [await firstToken(5), await firstToken(6)];
  await engine.close();
  const share = (100 * second) / first;
  return [
    { what: `${scheme}, first token behind ${sharedTokens} tokens`, value: first, unit: "s" },
    {
      what: `${scheme}, the same behind the same ${sharedTokens}, of the first time`,
      value: share,
      unit: "%",
      goal: goal(share, 5, "%", true),
    },
  ];
}
