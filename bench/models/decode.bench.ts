import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Benchmark, goal, type Row, timingOf } from "../harness.ts";
import { bandwidthMeter } from "../read-bandwidth.ts";
import { type DecodeMeasurement, decodedTokens, promptTokens } from "./decode-measurement.ts";
import {
  type DecodeSide,
  type FewbitSide,
  makeFewbitSide,
  makeLlamaSides,
  schemes,
} from "./decode-sides.ts";
import { billionShape, smallShapeOf } from "./random-checkpoint.ts";

const isSmall = process.env["FEWBIT_BENCH_SHAPE"] === "135m";
const layers = Number(process.env["FEWBIT_BENCH_LAYERS"] ?? (isSmall ? 30 : 22));
const rounds = Number(process.env["FEWBIT_BENCH_ROUNDS"] ?? 3);
const threadCounts = [1, 2];
/** Factors over llama.cpp, by number of threads. */
const goals = [
  { scheme: "w2g64", type: "Q2_K", factors: { 1: 2, 2: 2 } },
  { scheme: "w4g64", type: "Q4_0", factors: isSmall ? { 1: 1.5, 2: 1.3 } : { 1: 1.3, 2: 1.15 } },
] as const;
/**
 * How far fast products may be from exact ones on random weights, whose errors add up over the
 * layers.
 */
const worstRelativeError = 0.2;
const worstRank = 4;
/** Share of its threads that a side must have had; with less, others disturbed the comparison. */
const leastBusy = 0.85;

/** Measurements with one number of threads, by side. */
interface Runs {
  readonly threads: number;
  readonly bandwidth: number[];
  readonly sides: ReadonlyMap<DecodeSide, DecodeMeasurement[]>;
}

/**
 * Greedy decoding of a random-weight 1.1 B Llama behind a prompt (`FEWBIT_BENCH_SHAPE=135m`: of the
 * shape of SmolLM2-135M, with a head of its own), against llama.cpp with weights of about the same
 * bits. Each measurement is a process of its own; sides take turns.
 */
const benchmark: Benchmark = {
  name: "decode",
  title:
    `decode of a ${isSmall ? "135 M" : "1.1 B"} Llama shape, ${promptTokens} + ` +
    `${decodedTokens} tokens, against llama.cpp`,
  run: async (note) => {
    const folder = mkdtempSync(join(tmpdir(), "fewbit-bench-"));
    try {
      const ours: FewbitSide[] = [];
      const shape = isSmall
        ? { ...smallShapeOf(layers), tie_word_embeddings: false }
        : billionShape(layers);
      for (const scheme of schemes) ours.push(await makeFewbitSide(folder, scheme, shape));
      const theirs = await makeLlamaSides(folder, shape);
      if (theirs.length === 0) note("llama.cpp is left out: it is not installed for this machine");
      note("models are written");
      const checks = await checkProducts(ours);
      const rows: Row[] = [...checks, ...[...ours, ...theirs].map(bytesRow)];
      for (const threads of threadCounts) {
        const runs = await measureAll(threads, [...ours, ...theirs], note);
        rows.push(...describe(runs), ...compare(runs));
      }
      return rows;
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  },
};
export default benchmark;

async function checkProducts(sides: readonly FewbitSide[]): Promise<Row[]> {
  const rows: Row[] = [];
  for (const side of sides) {
    const { relativeError, rankOfBest } = await side.check();
    if (!(relativeError < worstRelativeError && rankOfBest <= worstRank)) {
      throw new Error(
        `${side.name}: fast products are off by ${relativeError}, the best token is ${rankOfBest}`,
      );
    }
    const what = `${side.name}: logits of fast products off the exact ones`;
    rows.push({ what, value: 100 * relativeError, unit: "%" });
  }
  return rows;
}

async function measureAll(
  threads: number,
  all: readonly DecodeSide[],
  note: (line: string) => void,
): Promise<Runs> {
  const sides = new Map(all.map((side) => [side, [] as DecodeMeasurement[]]));
  const bandwidth: number[] = [];
  for (let round = 1; round <= rounds; round++) {
    const meter = bandwidthMeter(threads);
    await meter.measure();
    for (let i = 0; i < 3; i++) bandwidth.push(await meter.measure());
    meter.close();
    for (const [side, runs] of sides) runs.push(await side.measure(threads));
    const speeds = [...sides].map(([{ name }, runs]) => `${name} ${shortSpeed(runs.at(-1))}`);
    note(`${atThreads(threads)}, round ${round} of ${rounds}: ${speeds.join(", ")} tokens/s`);
  }
  return { threads, bandwidth, sides };
}

function shortSpeed(run: DecodeMeasurement | undefined): string {
  return (run?.decodeTokensPerSecond ?? 0).toFixed(1);
}

function bytesRow({ name, bytesPerToken }: DecodeSide): Row {
  return { what: `${name}: weights read for a token`, value: bytesPerToken / 1e6, unit: "MB" };
}

function describe({ threads, bandwidth, sides }: Runs): Row[] {
  const at = atThreads(threads);
  const rows = [medianRow(`${at}: read bandwidth`, bandwidth, "GB/s")];
  const limit = timingOf(bandwidth).median;
  for (const [{ name, bytesPerToken }, runs] of sides) {
    const decode = runs.map((run) => run.decodeTokensPerSecond);
    const share = (100 * timingOf(decode).median * bytesPerToken) / 1e9 / limit;
    const kernels = runs[0]?.kernels ?? "";
    rows.push(
      { ...medianRow(`${at}: ${name}, decode`, decode, "tokens/s"), detail: kernels },
      { what: `${at}: ${name}, of the bandwidth`, value: share, unit: "%" },
      medianRow(
        `${at}: ${name}, busy threads`,
        runs.map((run) => run.busyThreads),
        "",
      ),
      medianRow(
        `${at}: ${name}, prefill`,
        runs.map((run) => run.prefillTokensPerSecond),
        "tokens/s",
      ),
    );
  }
  return rows;
}

/** Ratios to llama.cpp at its fastest with the same type, and of 2 to 4 bits. */
function compare({ threads, sides }: Runs): Row[] {
  const at = atThreads(threads);
  const all = [...sides].map(([side, runs]) => summarize(side, runs));
  const fastest = (prefix: string): Summary | undefined =>
    all.filter(({ name }) => name.startsWith(prefix)).toSorted((a, b) => b.speed - a.speed)[0];
  const rows: Row[] = [];
  for (const { scheme, type, factors } of goals) {
    const [ours, theirs] = [fastest(`fewbit ${scheme}`), fastest(`llama.cpp ${type}`)];
    if (!ours || !theirs) continue;
    const ratio = ours.speed / theirs.speed;
    const bound = factors[threads as 1 | 2];
    const row = { what: `${at}: ${ours.name} over ${theirs.name}`, value: ratio, unit: "×" };
    const undisturbed = Math.min(ours.busy, theirs.busy) > leastBusy * threads;
    if (undisturbed) rows.push({ ...row, goal: goal(ratio, bound, "×") });
    else rows.push({ ...row, what: `${row.what}; others used the machine` });
  }
  const [two, three, four] = ["w2g64", "w3g64", "w4g64"].map((id) => fastest(`fewbit ${id}`));
  if (!two || !three || !four) return rows;
  const ceiling = four.bytesPerToken / two.bytesPerToken;
  return [
    ...rows,
    {
      what: `${at}: w2g64 over w4g64 (ParetoQ: 1.13–1.26 ×)`,
      value: two.speed / four.speed,
      unit: "×",
    },
    { what: `${at}: the same by bytes, the ceiling`, value: ceiling, unit: "×" },
    {
      what: `${at}: w3g64 over w4g64`,
      value: three.speed / four.speed,
      unit: "×",
      goal: goal(three.speed / four.speed, 1, "×"),
    },
  ];
}

/** Medians of the runs of one side. */
interface Summary {
  readonly name: string;
  readonly bytesPerToken: number;
  readonly speed: number;
  readonly busy: number;
}

function summarize(side: DecodeSide, runs: readonly DecodeMeasurement[]): Summary {
  const median = (values: readonly number[]): number => timingOf(values).median;
  return {
    name: side.name,
    bytesPerToken: side.bytesPerToken,
    speed: median(runs.map((run) => run.decodeTokensPerSecond)),
    busy: median(runs.map((run) => run.busyThreads)),
  };
}

function atThreads(threads: number): string {
  return `${threads} thread${threads > 1 ? "s" : ""}`;
}

function medianRow(what: string, values: readonly number[], unit: string): Row {
  const { median, least, most } = timingOf(values);
  return { what, value: median, unit, spread: [least, most] };
}
