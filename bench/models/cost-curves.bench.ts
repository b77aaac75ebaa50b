import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { BackendOptions } from "../../src/backend/registry.ts";
import type { QuantizeOptions } from "../../src/index.ts";
import { formatCount, formatNumber } from "../../src/report/format.ts";
import { type Benchmark, goal, type Row } from "../harness.ts";
import { type CostCurve, drawCostChart } from "./cost-chart.ts";
import { measureQuantize, type QuantizeFigures } from "./measure-quantize.ts";
import { fitPowerLaw, type Pair } from "./power-law.ts";
import {
  billionShape,
  randomLetters,
  smallShape,
  writeRandomCheckpoint,
} from "./random-checkpoint.ts";

const threads = 1;
const chartFolder = process.env["FEWBIT_BENCH_CHARTS"];
const largest = Number(process.env["FEWBIT_BENCH_PARAMETERS"] ?? Number.POSITIVE_INFINITY);

/** Tokens that GPTQ sees where the parameters grow, in windows of so many. */
const fixed = { samples: 4, window: 256 };
const window = 512;
const mostTokens = Number(process.env["FEWBIT_BENCH_TOKENS"] ?? 65_536);
const tokenCounts = [4096, 8192, 16_384, 32_768, 65_536].filter((count) => count <= mostTokens);
/** What is taken off where the tokens grow: as good as none. */
const fewTokens = { samples: 1, window: 64 };

type Method = "rtn" | "gptq";

/** What a run has of calibration text. */
interface Text {
  readonly samples: number;
  readonly window: number;
}

/** A measured run at one size. */
interface Sized {
  readonly size: number;
  readonly figures: QuantizeFigures;
}

/** Runs of growing sizes, and the run whose time is taken off. */
interface Series {
  readonly title: string;
  readonly zero: QuantizeFigures;
  readonly runs: readonly Sized[];
}

function shapeOf(
  [hidden, width, layers]: readonly number[],
  [heads, kvHeads, vocabulary]: readonly number[],
): Record<string, unknown> {
  return {
    ...billionShape(layers),
    hidden_size: hidden,
    intermediate_size: width,
    num_attention_heads: heads,
    num_key_value_heads: kvHeads,
    vocab_size: vocabulary,
    tie_word_embeddings: true,
  };
}

/** One block and few tokens to choose from: what a run costs without a model to speak of. */
const smallest = shapeOf([64, 64, 1], [1, 1, 258]);
const six = shapeOf([256, 768, 6], [8, 4, 4096]);
/** Of stories260K, 1 M, prose-6m, 30 M, SmolLM2 with 135 M and 360 M, and TinyLlama. */
const shapes = [
  shapeOf([64, 172, 5], [8, 4, 512]),
  shapeOf([128, 384, 4], [4, 4, 1024]),
  six,
  shapeOf([512, 1408, 8], [8, 8, 8192]),
  smallShape,
  shapeOf([960, 2560, 32], [15, 5, 49_152]),
  billionShape(22),
];

/**
 * What RTN and GPTQ (w4g64) cost against the parameters of a model and against tokens: processor time
 * of a process of its own with one thread, and peak memory. Linear layers are quantized, embedding and
 * head stay as they are. The exponent is that of the time without what a run costs at any size, which
 * a run of its own measures: with a model of one tiny block and the same tokens, or with the same model
 * and 64 tokens. It is fitted where that is less than half of the whole. FEWBIT_BENCH_CHARTS=DIR draws the
 * curves; no model comes behind the first with more than FEWBIT_BENCH_PARAMETERS, and
 * FEWBIT_BENCH_TOKENS (65,536) are the most tokens.
 */
const benchmark: Benchmark = {
  name: "cost-curves",
  title: "Time and memory of RTN and GPTQ w4g64 against parameters and tokens",
  run: async (note) => {
    const folder = mkdtempSync(join(tmpdir(), "fewbit-bench-"));
    try {
      writeFileSync(join(folder, "text.txt"), randomLetters(2 * Math.max(...tokenCounts)));
      const overTokens = await measureTokens(folder, note);
      const overParameters = await measureParameters(folder, note);
      if (chartFolder) drawCharts(chartFolder, overParameters, overTokens);
      return [
        ...overParameters.flatMap((series) => rowsOf(series, parameterText)),
        ...rowsOf(overTokens, tokenText),
        ...splitRows(overParameters[1]),
      ];
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  },
};
export default benchmark;

/** RTN and GPTQ over models; a model is on the disk while it is measured. */
async function measureParameters(folder: string, note: (line: string) => void): Promise<Series[]> {
  const model = join(folder, "model");
  const measured: Record<Method, QuantizeFigures[]> = { rtn: [], gptq: [] };
  for (const shape of [smallest, ...shapes]) {
    if ((measured.rtn.at(-1)?.parameters ?? 0) > largest) break;
    await writeRandomCheckpoint(model, shape);
    for (const method of ["rtn", "gptq"] as const) {
      const isZero = shape === smallest;
      const figures = await (isZero ? measureZero : measure)(folder, method, fixed);
      measured[method].push(figures);
      note(lineOf(method, parameterText(figures.parameters), figures));
    }
    rmSync(model, { recursive: true });
  }
  return (["rtn", "gptq"] as const).map((method) => {
    const [zero, ...runs] = measured[method];
    const sized = runs.map((figures) => ({ size: figures.parameters, figures }));
    return { title: method.toUpperCase(), zero, runs: sized };
  });
}

async function measureTokens(folder: string, note: (line: string) => void): Promise<Series> {
  const model = join(folder, "model");
  await writeRandomCheckpoint(model, six);
  const zero = await measureZero(folder, "gptq", fewTokens);
  const runs: Sized[] = [];
  for (const size of tokenCounts) {
    const figures = await measure(folder, "gptq", { samples: size / window, window });
    runs.push({ size, figures });
    note(lineOf("gptq", tokenText(size), figures));
  }
  rmSync(model, { recursive: true });
  return { title: "GPTQ", zero, runs };
}

/** The quickest of three: what else the machine does would be taken off every size. */
async function measureZero(folder: string, method: Method, text: Text): Promise<QuantizeFigures> {
  const runs: QuantizeFigures[] = [];
  for (let i = 0; i < 3; i++) runs.push(await measure(folder, method, text));
  runs.sort((a, b) => a.whole.processorSeconds - b.whole.processorSeconds);
  return runs[0];
}

async function measure(folder: string, method: Method, text: Text): Promise<QuantizeFigures> {
  const out = join(folder, "out");
  const kept = { embedding: "f16", head: "f16" } as const;
  const options: QuantizeOptions & BackendOptions = {
    method,
    scheme: "w4g64",
    out,
    threads,
    ...kept,
    ...(method === "gptq" && { calibration: join(folder, "text.txt"), ...text }),
  };
  try {
    return await measureQuantize(join(folder, "model"), options);
  } finally {
    rmSync(out, { recursive: true, force: true });
  }
}

function lineOf(
  method: string,
  size: string,
  { whole, peakResidentBytes }: QuantizeFigures,
): string {
  const times = `${formatNumber(whole.processorSeconds)} s of processor time`;
  return `${method}, ${size}: ${times}, ${formatNumber(peakResidentBytes / 1e6)} MB`;
}

function parameterText(count: number): string {
  return count >= 1e9 ? `${formatNumber(count / 1e9)} B` : `${formatNumber(count / 1e6)} M`;
}

function tokenText(count: number): string {
  return `${formatCount(count)} tokens`;
}

/** The time of each size without what any size costs, and the law of those where the latter is less. */
function curveOf({ title, zero, runs }: Series): CostCurve {
  const fixedSeconds = zero.whole.processorSeconds;
  const points = runs.map(
    ({ size, figures }): Pair => [size, figures.whole.processorSeconds - fixedSeconds],
  );
  const fitted = points.filter(([, seconds]) => seconds > fixedSeconds);
  return {
    title,
    points: points.filter(([, seconds]) => seconds > 0),
    fitted,
    law: fitted.length < 3 ? null : fitPowerLaw(fitted),
  };
}

function rowsOf(series: Series, text: (size: number) => string): Row[] {
  const { title, zero, runs } = series;
  const { law, fitted } = curveOf(series);
  const rows = runs.flatMap(({ size, figures }): Row[] => [
    {
      what: `${title}, ${text(size)}: processor time`,
      value: figures.whole.processorSeconds,
      unit: "s",
      detail: `${formatNumber(figures.whole.seconds)} s by the clock`,
    },
    {
      what: `${title}, ${text(size)}: peak resident memory`,
      value: figures.peakResidentBytes / 1e6,
      unit: "MB",
      detail: `${formatNumber(figures.peakAnonymousBytes / 1e6)} MB are no file's`,
    },
  ]);
  rows.push({ what: `${title}: taken off`, value: zero.whole.processorSeconds, unit: "s" });
  if (!law) return rows;
  const sizes = fitted.map(([size]) => size);
  const span = `${text(Math.min(...sizes))} to ${text(Math.max(...sizes))}`;
  rows.push({
    what: `${title}: exponent, ${span}`,
    value: law.exponent,
    unit: "",
    spread: law.range,
    goal: goal(law.exponent, 1.05, "", true),
  });
  return rows;
}

/** How GPTQ's time parts into carrying errors from column to column and all else. */
function splitRows({ title, zero, runs }: Series): Row[] {
  const solving = runs.map(({ size, figures }): Pair => [size, figures.solvingSeconds]);
  const rest = runs.map(({ size, figures }): Pair => {
    const { whole, solvingSeconds } = figures;
    return [size, whole.processorSeconds - solvingSeconds - zero.whole.processorSeconds];
  });
  const parts = [
    ["factors and columns", solving],
    ["all else", rest],
  ] as const;
  return parts.flatMap(([part, points]): Row[] => {
    const law = fitPowerLaw(points.slice(-4));
    const { exponent, range } = law;
    const [size, seconds] = points[points.length - 1];
    return [
      {
        what: `${title}: exponent of ${part}, the four largest`,
        value: exponent,
        unit: "",
        spread: range,
      },
      { what: `${title}, ${parameterText(size)}: ${part}`, value: seconds, unit: "s" },
    ];
  });
}

function drawCharts(folder: string, overParameters: readonly Series[], overTokens: Series): void {
  mkdirSync(folder, { recursive: true });
  const seconds = {
    title: "processor time without what any run costs, seconds",
    format: (value: number) => formatNumber(value),
  };
  const parameters = { title: "parameters", format: parameterText };
  const write = (name: string, drawn: string): void => writeFileSync(join(folder, name), drawn);
  write(
    "cost-parameters.svg",
    drawCostChart({
      title: `Time of quantizing to w4g64 against parameters, GPTQ with ${formatCount(fixed.samples * fixed.window)} tokens`,
      x: parameters,
      y: seconds,
      curves: overParameters.map(curveOf),
    }),
  );
  write(
    "cost-tokens.svg",
    drawCostChart({
      title: `Time of GPTQ w4g64 against tokens, ${parameterText(overTokens.zero.parameters)} parameters`,
      x: { title: "tokens", format: formatCount },
      y: seconds,
      curves: [curveOf(overTokens)],
    }),
  );
  write(
    "memory-parameters.svg",
    drawCostChart({
      title: "Peak resident memory of quantizing to w4g64 against parameters",
      x: parameters,
      y: { title: "megabytes", format: (value) => formatNumber(value) },
      curves: overParameters.map(({ title, runs }) => ({
        title,
        points: runs.map(({ size, figures }): Pair => [size, figures.peakResidentBytes / 1e6]),
        law: null,
        fitted: [],
      })),
    }),
  );
}
