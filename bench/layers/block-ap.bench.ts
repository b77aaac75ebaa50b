import { fileURLToPath } from "node:url";
import { type Benchmark, goal, type Row, timingOf } from "../harness.ts";
import { type LineProcess, openLineProcess } from "../line-process.ts";

const shape = { hidden: 2048, ffn: 5632, heads: 32, kvHeads: 4, tokens: 1024 };
const groupSize = 64;
const rounds = Number(process.env.FEWBIT_BENCH_ROUNDS ?? 4);
const goals = { ratio: 1.2, memory: 1, gemm: 0.6 };
/** Steps of which the losses are compared: both sides do the same arithmetic, in bfloat16. */
const lossTolerance = 0.01;

/** What a side answers to each line: one step more. */
interface Step {
  readonly seconds: number;
  readonly loss: number;
}

/** What a side answers at its end: peak of its memory, and time by op where it knows. */
interface End {
  readonly peakBytes: number;
  readonly nanoseconds?: Readonly<Record<string, number>>;
}

/**
 * Block-AP steps (forward, backward, AdamW over weights, scales and zero points) of one block of
 * the 1.1 B Llama shape at w2g64 on one core, against the same arithmetic in PyTorch, in bfloat16
 * and in float32. The yardstick needs a Python with torch: FEWBIT_PYTHON, or python3.
 */
const benchmark: Benchmark = {
  name: "block-ap",
  title:
    `Block-AP step of a block ${shape.hidden} wide, FFN ${shape.ffn}, ${shape.tokens} ` +
    "tokens, w2g64, one core",
  run: async (note) => {
    const sizes = Object.values(shape).map(String);
    const ours = await openLineProcess(process.execPath, [
      fileURLToPath(new URL("block-ap-side.ts", import.meta.url)),
      ...sizes,
      `${rounds + 1}`,
    ]);
    if (!ours) throw new Error("the native backend does not run");
    const python = process.env.FEWBIT_PYTHON ?? "python3";
    const script = fileURLToPath(new URL("block_ap_yardstick.py", import.meta.url));
    const theirs = new Map<string, LineProcess>();
    for (const precision of ["bf16", "f32"]) {
      const side = await openLineProcess(python, [script, ...sizes, precision, `${groupSize}`]);
      if (side) theirs.set(precision, side);
    }
    if (theirs.size === 0) note(`no yardstick: ${python} cannot run PyTorch (set FEWBIT_PYTHON)`);
    return compare(ours, theirs);
  },
};
export default benchmark;

async function compare(
  ours: LineProcess,
  theirs: ReadonlyMap<string, LineProcess>,
): Promise<Row[]> {
  const mine: number[] = [];
  const others = new Map([...theirs.keys()].map((precision) => [precision, [] as number[]]));
  for (let round = 0; round <= rounds; round++) {
    const step = await ours.ask<Step>("");
    if (round > 0) mine.push(step.seconds);
    for (const [precision, side] of theirs) {
      const { seconds, loss } = await side.ask<Step>("");
      expectLoss(precision, step.loss, loss);
      if (round > 0) others.get(precision)?.push(seconds);
    }
  }
  const end = await ours.end<End>();
  const rows: Row[] = [secondsRow("fewbit", mine)];
  const peaks: number[] = [];
  for (const [precision, side] of theirs) {
    rows.push(secondsRow(`PyTorch, ${precision}`, others.get(precision) ?? []));
    const { peakBytes } = await side.end<End>();
    peaks.push(peakBytes);
    rows.push({ what: `PyTorch, ${precision}: peak memory`, value: peakBytes / 1e9, unit: "GB" });
  }
  const memory: Row = { what: "fewbit: peak memory", value: end.peakBytes / 1e9, unit: "GB" };
  const spent = Object.entries(end.nanoseconds ?? {});
  const all = spent.reduce((sum, [, time]) => sum + time, 0);
  const gemm = spent.reduce((sum, [op, time]) => sum + (op === "matmul" ? time : 0), 0) / all;
  const shares: Row[] = spent
    .filter(([, time]) => time > all / 50)
    .sort(([, a], [, b]) => b - a)
    .map(([op, time]) => ({
      what: `fewbit: share of ${op}`,
      value: (100 * time) / all,
      unit: "%",
    }));
  rows.push({
    what: "fewbit: share of matrix products",
    value: 100 * gemm,
    unit: "%",
    goal: goal(100 * gemm, 100 * goals.gemm, "%"),
  });
  if (theirs.size === 0) return [...rows, memory, ...shares];
  const best = Math.min(...[...others.values()].map((seconds) => timingOf(seconds).median));
  const ratio = best / timingOf(mine).median;
  const share = end.peakBytes / Math.min(...peaks);
  return [
    ...rows,
    { ...memory, goal: goal(share, goals.memory, "× PyTorch", true) },
    {
      what: "PyTorch at its best over fewbit",
      value: ratio,
      unit: "×",
      goal: goal(ratio, goals.ratio, "×"),
    },
    ...shares,
  ];
}

function expectLoss(precision: string, ours: number, theirs: number): void {
  if (Math.abs(ours / theirs - 1) <= lossTolerance) return;
  throw new Error(`losses differ: ${ours}, and ${theirs} in PyTorch (${precision})`);
}

function secondsRow(who: string, runs: readonly number[]): Row {
  const { median, least, most } = timingOf(runs);
  return { what: `${who}: one step`, value: median, unit: "s", spread: [least, most] };
}
