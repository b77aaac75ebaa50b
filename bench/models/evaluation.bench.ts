import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { openWindows } from "../../src/evaluation/open-windows.ts";
import { scoreWindows } from "../../src/evaluation/score-windows.ts";
import { encodeContinuation } from "../../src/evaluation/tasks/encode-continuation.ts";
import { openTask } from "../../src/evaluation/tasks/open-task.ts";
import { scoreContinuations } from "../../src/evaluation/tasks/score-continuations.ts";
import { type LanguageModel, load, quantize } from "../../src/index.ts";
import { type Benchmark, goal, type Row, timingOf } from "../harness.ts";
import { type LineProcess, openLineProcess } from "../line-process.ts";

const data = fileURLToPath(new URL("../../../shared/data/", import.meta.url));
const windowTokens = 512;
const windowCount = Number(process.env.FEWBIT_BENCH_WINDOWS ?? 16);
const itemCount = Number(process.env.FEWBIT_BENCH_ITEMS ?? 100);
const rounds = Number(process.env.FEWBIT_BENCH_ROUNDS ?? 3);
const goalRatio = 2;
/** Largest relative difference of a window's loss, and of a continuation's log-likelihood. */
const tolerance = 1e-4;
/** Windows, or continuations, that PyTorch takes together: its best is what counts. */
const batches = { perplexity: [1, 2, 4, 8], hellaswag: [1, 4, 8, 16, 32] } as const;

type Job = keyof typeof batches;
const jobs = ["perplexity", "hellaswag"] as const;

/** What a job gave: losses of windows, or log-likelihoods of continuations. */
interface Answer {
  readonly seconds: number;
  readonly values: readonly number[];
}

/**
 * Perplexity of prose-6m on windows of 512 tokens and HellaSwag on one core, float32, against the
 * same evaluation in PyTorch. Ours tokenises its items, PyTorch's are tokenised. The yardstick
 * needs a Python with torch and transformers: FEWBIT_PYTHON, or python3.
 */
const benchmark: Benchmark = {
  name: "evaluation",
  title:
    `Evaluation of prose-6m, one core: perplexity of ${windowCount} × ${windowTokens} ` +
    `tokens, ${itemCount} HellaSwag items`,
  run: async (note) => {
    if (!existsSync(`${data}models/prose-6m`)) {
      note("not run: the shared models, ../shared/data, are not on this machine");
      return [];
    }
    const directory = mkdtempSync(join(tmpdir(), "fewbit-bench-"));
    try {
      const ours = await prepare(directory);
      const python = process.env.FEWBIT_PYTHON ?? "python3";
      const script = fileURLToPath(new URL("evaluation_yardstick.py", import.meta.url));
      const words = [script, `${data}models/prose-6m`, ours.jobsFile];
      const theirs = await openLineProcess(python, words);
      if (!theirs) note(`no yardstick: ${python} cannot run PyTorch (set FEWBIT_PYTHON)`);
      const rows = await compare(ours, theirs, note);
      ours.release();
      return rows;
    } finally {
      rmSync(directory, { recursive: true });
    }
  },
};
export default benchmark;

/** Our side: the jobs with the float model and with its quantized form. */
interface OurSide {
  readonly jobsFile: string;
  run(job: Job, which: "float" | "quantized"): Promise<Answer>;
  release(): void;
}

async function prepare(directory: string): Promise<OurSide> {
  const source = `${data}models/prose-6m`;
  const out = join(directory, "w4g64");
  await quantize(source, { method: "rtn", scheme: "w4g64", out, threads: 1 });
  const models = {
    float: await load(source, { backend: "native", threads: 1 }),
    quantized: await load(out, { backend: "native", threads: 1 }),
  };
  const text = `${data}text/prose/test.txt`;
  const choice = { text, window: windowTokens, maxWindows: windowCount };
  const { windows } = await openWindows(models.float, choice);
  const { items } = await openTask(`hellaswag=${data}tasks/hellaswag_val_1000.jsonl`, {
    limit: itemCount,
  });
  const options = items.flatMap((item) => item.options);
  const jobsFile = join(directory, "jobs.json");
  writeFileSync(
    jobsFile,
    JSON.stringify({
      windows: windows.map(({ ids }) => [...ids]),
      texts: options.map((option) => {
        const { tokenizer, config } = models.float;
        const { ids, from } = encodeContinuation(tokenizer, option, config.contextLength);
        return { ids: [...ids], from };
      }),
    }),
  );
  const work: Record<Job, (model: LanguageModel) => Promise<number[]>> = {
    perplexity: async (model) => {
      const losses: number[] = [];
      await scoreWindows(model, windows, {
        products: "exact",
        onScores: (scores) => losses.push(...scores.map((score) => meanOf(score.losses))),
      });
      return losses;
    },
    hellaswag: async (model) => [
      ...(await scoreContinuations(model, options, { products: "exact" })).logLikelihoods,
    ],
  };
  return {
    jobsFile,
    run: async (job, which) => {
      const started = performance.now();
      const values = await work[job](models[which]);
      return { seconds: (performance.now() - started) / 1000, values };
    },
    release: () => {
      for (const model of Object.values(models)) model.release();
    },
  };
}

async function compare(
  ours: OurSide,
  theirs: LineProcess | null,
  note: (line: string) => void,
): Promise<Row[]> {
  const rows: Row[] = [];
  for (const job of jobs) {
    const work = job === "perplexity" ? windowCount * windowTokens : itemCount;
    const unit = job === "perplexity" ? "tokens/s" : "items/s";
    const ask = (batch: number) => theirs?.ask<Answer>(JSON.stringify({ job, batch }));
    const best = await findBatch(job, ask, note);
    const seconds = { float: [] as number[], quantized: [] as number[], torch: [] as number[] };
    for (let round = 0; round <= rounds; round++) {
      const mine = await ours.run(job, "float");
      const quantized = await ours.run(job, "quantized");
      const other = best === null ? undefined : await ask(best);
      if (other) expectSame(job, mine.values, other.values);
      if (round === 0) continue;
      seconds.float.push(mine.seconds);
      seconds.quantized.push(quantized.seconds);
      if (other) seconds.torch.push(other.seconds);
    }
    rows.push(rateRow(`${job}: fewbit, float32`, work, seconds.float, unit));
    rows.push(rateRow(`${job}: fewbit, w4g64`, work, seconds.quantized, unit));
    if (best === null) continue;
    rows.push(rateRow(`${job}: PyTorch, ${best} together`, work, seconds.torch, unit));
    const ratio = timingOf(seconds.torch).median / timingOf(seconds.float).median;
    rows.push({
      what: `${job}: fewbit over PyTorch, float32`,
      value: ratio,
      unit: "×",
      goal: goal(ratio, goalRatio, "×"),
    });
  }
  await theirs?.end();
  return rows;
}

/** The number of texts together that PyTorch is fastest with; null without PyTorch. */
async function findBatch(
  job: Job,
  ask: (batch: number) => Promise<Answer> | undefined,
  note: (line: string) => void,
): Promise<number | null> {
  let best: { batch: number; seconds: number } | null = null;
  for (const batch of batches[job]) {
    const answer = await ask(batch);
    if (!answer) return null;
    note(`${job}: PyTorch with ${batch} together takes ${answer.seconds.toFixed(2)} s`);
    if (!best || answer.seconds < best.seconds) best = { batch, seconds: answer.seconds };
  }
  return best?.batch ?? null;
}

function expectSame(job: Job, ours: readonly number[], theirs: readonly number[]): void {
  for (const [index, value] of ours.entries()) {
    const other = theirs[index] ?? Number.NaN;
    if (Math.abs(value / other - 1) <= tolerance) continue;
    throw new Error(`${job}: value ${index} is ${value}, and ${other} in PyTorch`);
  }
}

function rateRow(what: string, work: number, runs: readonly number[], unit: string): Row {
  const { median, least, most } = timingOf(runs);
  return { what, value: work / median, unit, spread: [work / most, work / least] };
}

function meanOf(values: Float32Array): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}
