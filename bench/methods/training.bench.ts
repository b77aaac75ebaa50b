import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { loadCalibration } from "../../src/calibration/dataset.ts";
import { openModelFiles } from "../../src/runtime/open-checkpoint.ts";
import { loadTokenizer } from "../../src/tokenizers/load-tokenizer.ts";
import { type Benchmark, goal, rateRow, type Row, timingOf } from "../harness.ts";
import { type LineProcess, openLineProcess } from "../line-process.ts";
import { writeFewBlocks } from "./few-blocks-checkpoint.ts";
import { batch, type ProductShapes, type TrainingCase, trainingCases } from "./training-cases.ts";
import type { ProductStep } from "./product-side.ts";
import type { TrainingStep } from "./training-side.ts";

const model = resolve(process.env["FEWBIT_BENCH_MODEL"] ?? ".fewbit/smollm2/model");
const text = resolve(process.env["FEWBIT_BENCH_TEXT"] ?? "../shared/data/text/prose/train.txt");
const window = Number(process.env["FEWBIT_BENCH_WINDOW"] ?? 128);
const steps = Number(process.env["FEWBIT_BENCH_STEPS"] ?? 2);
const blocks = Number(process.env["FEWBIT_BENCH_BLOCKS"] ?? Number.NaN);
const only = process.env["FEWBIT_BENCH_METHODS"]?.split(",");
const precisions = (process.env["FEWBIT_BENCH_PRECISIONS"] ?? "f32,bf16").split(",");
const threads = process.env["FEWBIT_THREADS"] ?? "1";
const python = process.env["FEWBIT_PYTHON"] ?? "python3";
const goalRatio = 2;
/** How far losses of the first step may differ: both sides do the same arithmetic. */
const lossTolerance = 0.03;
/** A side that takes so much longer than ours does one step that counts, and no more. */
const lateFactor = 5;
const dtypes: Readonly<Record<string, string>> = { f32: "float32", bf16: "bfloat16" };
const tokens = batch * window;

/**
 * Steps of trainings on the whole of FEWBIT_BENCH_MODEL, or on its first blocks, against the
 * authors' arithmetic in PyTorch in float32 and bfloat16, a step of each in turn; the first does not
 * count. With one thread what counts is processor time. Needs a Python with torch and transformers:
 * FEWBIT_PYTHON, or python3.
 */
const benchmark: Benchmark = {
  name: "training",
  title: `Trainings, steps of ${batch} × ${window} tokens, threads: ${threads}`,
  run: async (note) => {
    const folder = mkdtempSync(join(tmpdir(), "fewbit-training-"));
    try {
      return await compare(folder, note);
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  },
};
export default benchmark;

/** Where the model and the windows of both sides lie. */
interface Place {
  readonly folder: string;
  readonly checkpoint: string;
  readonly windows: string;
}

/** Processes that work in turn, by name, ours first. */
type Sides = ReadonlyMap<string, LineProcess>;

async function compare(folder: string, note: (line: string) => void): Promise<Row[]> {
  const checkpoint = Number.isNaN(blocks) ? model : join(folder, "model");
  if (checkpoint !== model) await writeFewBlocks(model, checkpoint, blocks);
  const place = { folder, checkpoint, windows: join(folder, "windows.json") };
  writeFileSync(place.windows, JSON.stringify(await windowIds(checkpoint)));
  const rows: Row[] = [];
  for (const one of trainingCases) {
    if (only && !only.includes(one.method)) continue;
    const found = await compareTraining(one, place);
    rows.push(...found);
    for (const { what, value, unit } of found) note(`${what}: ${value.toFixed(2)} ${unit}`);
  }
  return [...rows, ...(await compareProducts(place))];
}

async function compareTraining(one: TrainingCase, place: Place): Promise<Row[]> {
  const { method, name } = one;
  const { checkpoint, windows, folder } = place;
  const settings = { method, batch, ...one.yardstick };
  const sides = await openSides(
    ["training-side.ts", method, checkpoint, windows, folder],
    place,
    settings,
  );
  const done = await takeTurns<TrainingStep>(sides, (answers) => expectSameLosses(name, answers));
  return rowsOf(name, done);
}

/**
 * Lets all sides do one thing in turn, `steps` times after a first that makes memory and caches warm,
 * and closes them; what they answered, by side. `look` sees the first answers.
 */
async function takeTurns<Answer extends { readonly seconds: number }>(
  sides: Sides,
  look?: (answers: ReadonlyMap<string, readonly Answer[]>) => void,
): Promise<ReadonlyMap<string, readonly Answer[]>> {
  const answers = new Map([...sides.keys()].map((who) => [who, [] as Answer[]]));
  const [[, mine]] = answers;
  for (let step = 0; step <= steps; step++) {
    for (const [who, side] of sides) {
      const own = answers.get(who) ?? [];
      const isLate = step > 1 && own[1].seconds > lateFactor * mine[1].seconds;
      if (!isLate) own.push(await side.ask<Answer>(""));
    }
    if (step === 0) look?.(answers);
  }
  for (const side of sides.values()) await side.close();
  return answers;
}

function rowsOf(name: string, done: ReadonlyMap<string, readonly TrainingStep[]>): Row[] {
  const counted = new Map([...done].map(([who, all]) => [who, all.slice(1)]));
  const seconds = (all: readonly TrainingStep[]) => timingOf(all.map((step) => step.seconds));
  const [[, mine], ...others] = counted;
  const own = seconds(mine);
  const products = timingOf(mine.map((step) => step.products)).median;
  const share = (100 * products) / own.median;
  return [
    ...[...counted].map(([who, all]) =>
      rateRow(`${name}: ${who}`, tokens, seconds(all), "tokens/s"),
    ),
    ...others.flatMap(([who, all]): Row[] => {
      const { median } = seconds(all);
      const ratio = median / own.median;
      return [
        {
          what: `${name}: over ${who}`,
          value: ratio,
          unit: "×",
          goal: goal(ratio, goalRatio, "×"),
        },
        {
          what: `${name}: over ${who} if all but products took no time`,
          value: median / products,
          unit: "×",
        },
      ];
    }),
    { what: `${name}: fewbit in products`, value: share, unit: "%" },
  ];
}

/** How fast each side multiplies: what bounds a ratio where products take most of the time. */
async function compareProducts(place: Place): Promise<Row[]> {
  const asked = productShapes(place.checkpoint);
  const sides = await openSides(["product-side.ts", JSON.stringify(asked)], place, {
    method: "products",
    ...asked,
  });
  const answers = await takeTurns<ProductStep>(sides);
  const found = [...answers].flatMap(([who, [, ...counted]]) =>
    Object.keys(counted[0].byProduct).map(
      (product) =>
        [`${product}: ${who}`, counted.map(({ byProduct }) => byProduct[product])] as const,
    ),
  );
  const giga = (product: string): number =>
    asked.shapes
      .filter(([name]) => product.startsWith(name))
      .reduce((sum, [, columns, inner]) => sum + columns * inner, 0) *
    ((2 * asked.rows) / 1e9);
  return found
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([what, times]) => rateRow(`products of ${what}`, giga(what), timingOf(times), "GFLOP/s"));
}

/** Ours, and the yardstick in each precision unless it does not run. */
async function openSides(
  [script, ...words]: readonly string[],
  { checkpoint, windows }: Place,
  settings: Readonly<Record<string, unknown>>,
): Promise<Sides> {
  const file = (name: string): string => fileURLToPath(new URL(name, import.meta.url));
  const ours = await openLineProcess(process.execPath, [file(script), ...words]);
  if (!ours) throw new Error(`${script} does not run`);
  const sides = new Map([["fewbit", ours]]);
  for (const precision of precisions) {
    const theirs = await openLineProcess(python, [
      file("training_yardstick.py"),
      checkpoint,
      windows,
      precision,
      threads,
      JSON.stringify(settings),
    ]);
    if (theirs) sides.set(`PyTorch ${dtypes[precision]}`, theirs);
  }
  return sides;
}

/** @throws Error when a side does not do what the others do */
function expectSameLosses(name: string, done: ReadonlyMap<string, readonly TrainingStep[]>): void {
  const losses = [...done].map(([who, [{ loss }]]) => [who, loss] as const);
  const [[, own]] = losses;
  if (losses.every(([, loss]) => Math.abs(loss / own - 1) <= lossTolerance)) return;
  const told = losses.map(([who, loss]) => `${who} ${loss.toPrecision(5)}`).join(", ");
  throw new Error(`${name}: losses of the first step differ: ${told}`);
}

function productShapes(checkpoint: string): ProductShapes {
  const config = JSON.parse(readFileSync(join(checkpoint, "config.json"), "utf8")) as Record<
    string,
    number
  >;
  const { hidden_size: hidden, intermediate_size: ffn, vocab_size: vocabulary } = config;
  const keys = (hidden / config["num_attention_heads"]) * config["num_key_value_heads"];
  const outputs = [hidden, keys, keys];
  return {
    rows: tokens,
    shapes: [
      ...outputs.map((columns) => ["a block", columns, hidden] as const),
      ["a block", hidden, hidden],
      ["a block", ffn, hidden],
      ["a block", ffn, hidden],
      ["a block", hidden, ffn],
      ["the head", vocabulary, hidden],
    ],
  };
}

async function windowIds(checkpoint: string): Promise<number[][]> {
  const tokenizer = await loadTokenizer(await openModelFiles(checkpoint));
  const { windows } = await loadCalibration([{ path: text }], tokenizer, {
    samples: batch,
    window,
  });
  return windows.map((ids) => [...ids]);
}
