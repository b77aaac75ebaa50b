import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createNativeBackend } from "../../src/kernels/native/native-backend.ts";
import type { LanguageModel } from "../../src/runtime/language-model.ts";
import { load } from "../../src/runtime/load.ts";
import { Engine } from "../../src/runtime/serving/engine.ts";
import { type Benchmark, goal, type Row, timingOf } from "../harness.ts";
import { billionShape } from "./random-checkpoint.ts";
import { writeRandomLlamaGguf } from "./random-gguf.ts";
import { writeRandomPackedCheckpoint } from "./random-packed-checkpoint.ts";
import { fewbitStreams, llamaStreams } from "./serving-sides.ts";
import { type Cost, crowds, type StreamsSide } from "./serving-streams.ts";

const layers = Number(process.env["FEWBIT_BENCH_LAYERS"] ?? 22);
const rounds = Number(process.env["FEWBIT_BENCH_ROUNDS"] ?? 3);
const threads = Number(process.env["FEWBIT_THREADS"] ?? 2);
/** No round begins after this many minutes of measuring streams, half of them for each scheme. */
const minutes = Number(process.env["FEWBIT_BENCH_MINUTES"] ?? 6);
const sharedTokens = 2000;

/** Schemes, and the type of llama.cpp of about the same bits. */
const cases = [
  { scheme: "w4g64", weights: "Q4_0", head: "Q4_0" },
  { scheme: "w2g64", weights: "Q2_K", head: "Q2_K" },
] as const;
type Case = (typeof cases)[number];

/**
 * Streams side by side on a random 1.1 B Llama shape, in turns with llama.cpp; and a long beginning
 * that a second request shares with the first.
 */
const benchmark: Benchmark = {
  name: "serving",
  title: `streams side by side, 1.1 B Llama shape with ${layers} layers, ${threads} threads`,
  run: async (note) => {
    const folder = mkdtempSync(join(tmpdir(), "fewbit-bench-"));
    const rows: Row[] = [];
    try {
      for (const one of cases) rows.push(...(await measureCase(folder, one, note)));
    } finally {
      rmSync(folder, { recursive: true });
    }
    return rows;
  },
};
export default benchmark;

async function measureCase(
  folder: string,
  { scheme, weights, head }: Case,
  note: (line: string) => void,
): Promise<Row[]> {
  const directory = join(folder, scheme);
  const file = join(folder, `${weights}.gguf`);
  const shape = billionShape(layers);
  await writeRandomPackedCheckpoint(directory, { shape, scheme, headScheme: "w4g64", seed: 1 });
  await writeRandomLlamaGguf(file, shape, { weights, head });
  const backend = createNativeBackend({ threads });
  const model = await load(directory, { backend });
  const ours = fewbitStreams(model, scheme);
  const theirs = await llamaStreams(file, `llama.cpp ${weights}`, threads);
  note(
    `${scheme}: ${backend.description}${theirs ? "" : "; llama.cpp is not installed for this machine"}`,
  );
  const costs = await measureStreams(theirs ? [ours, theirs] : [ours], note);
  await theirs?.close();
  await ours.close();
  const rows = [
    ...rowsOf(ours, costs, 4),
    ...(theirs ? [...rowsOf(theirs, costs), ...compare(ours, theirs, costs)] : []),
    ...(await sharedBeginning(model, scheme)),
  ];
  model.release();
  backend.close();
  for (const path of [directory, file]) rmSync(path, { recursive: true });
  return rows;
}

/** Costs by side and number of streams. */
type Costs = ReadonlyMap<StreamsSide, ReadonlyMap<number, Cost[]>>;

/** Each number of streams by each side in turn, round by round. */
async function measureStreams(
  sides: readonly StreamsSide[],
  note: (line: string) => void,
): Promise<Costs> {
  const costs = new Map(sides.map((side) => [side, new Map<number, Cost[]>()]));
  for (const side of sides) await side.decodeTogether(1);
  const deadline = performance.now() + (minutes * 60_000) / cases.length;
  for (let round = 0; round < rounds; round++) {
    if (round > 0 && performance.now() > deadline) break;
    for (const count of crowds) {
      const speeds: string[] = [];
      for (const [side, own] of costs) {
        const cost = await side.decodeTogether(count);
        own.set(count, [...(own.get(count) ?? []), cost]);
        speeds.push(`${side.name} ${(1 / cost.wall).toFixed(1)}`);
      }
      note(`round ${round + 1} of ${rounds}, ${count} streams: ${speeds.join(", ")} tokens/s`);
    }
  }
  return costs;
}

function median(side: StreamsSide, costs: Costs, count: number, kind: keyof Cost): number {
  return timingOf((costs.get(side)?.get(count) ?? []).map((cost) => cost[kind])).median;
}

/** What a side makes of its streams; `bound` is the goal of eight over one. */
function rowsOf(side: StreamsSide, costs: Costs, bound?: number): Row[] {
  const of = (count: number, kind: keyof Cost): number => median(side, costs, count, kind);
  return crowds.flatMap((count) => {
    const what = `${side.name}, ${count} streams`;
    const first: Row = { what, value: 1 / of(count, "wall"), unit: "tokens/s" };
    if (count === 1) return [first];
    const speedup = of(1, "wall") / of(count, "wall");
    const row: Row = { what: `${what} over one`, value: speedup, unit: "×" };
    const busy = of(1, "processor") / of(count, "processor");
    return [
      first,
      bound && count === 8 ? { ...row, goal: goal(speedup, bound, "×") } : row,
      { what: `${what} over one, by processor time`, value: busy, unit: "×" },
    ];
  });
}

function compare(ours: StreamsSide, theirs: StreamsSide, costs: Costs): Row[] {
  return crowds.flatMap((count) => {
    const ratio = (kind: keyof Cost): number =>
      median(theirs, costs, count, kind) / median(ours, costs, count, kind);
    const what = `${ours.name} over ${theirs.name}, ${count} streams`;
    const row: Row = { what, value: ratio("wall"), unit: "×" };
    return [
      count === 8 ? { ...row, goal: goal(ratio("wall"), 1.3, "×") } : row,
      { what: `${what}, by processor time`, value: ratio("processor"), unit: "×" },
    ];
  });
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
