/**
 * Our side of training.bench.ts: answers each line on standard input with one step, a `TrainingStep`.
 *
 *     node training-side.ts METHOD MODEL WINDOWS FOLDER
 *
 * METHOD is one of training-cases.ts, WINDOWS a JSON file of token ids, FOLDER a place for what the
 * training begins with.
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { openBackend } from "../../src/backend/registry.ts";
import { CheckpointWeights } from "../../src/formats/checkpoint-weights.ts";
import { quantize } from "../../src/index.ts";
import type { NativeBackend } from "../../src/kernels/native/native-backend.ts";
import type { Method, ModelProblem } from "../../src/methods/define-method.ts";
import { methods } from "../../src/methods/index.ts";
import { TrainableModel } from "../../src/nn/trainable-model.ts";
import { parseScheme } from "../../src/quant/scheme.ts";
import { openModel } from "../../src/runtime/load.ts";
import { Tensor } from "../../src/tensor/tensor.ts";
import { trainableWeights } from "../../src/train/trainable-weights.ts";
import { runTraining } from "../../src/training/training-loop.ts";
import type { TrainingProgress, TrainingStore } from "../../src/training/training-store.ts";
import { blockApSteps } from "../layers/block-ap-steps.ts";
import { batch, type TrainingCase, trainingCases } from "./training-cases.ts";
import { WorkMeter, type WorkTime } from "./work-meter.ts";

/** What a step took, and the loss before it; of distillations the divergence alone. */
export interface TrainingStep extends WorkTime {
  readonly loss: number;
}

/**
 * Lets a training do a step for each line: what it keeps its state in answers when a step is done,
 * and takes the next line before it lets the training go on.
 */
class StepGate implements TrainingStore {
  private readonly lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]();
  private readonly stop = new AbortController();
  readonly signal = this.stop.signal;
  /** The divergence of the step at work, where that is only a part of the loss. */
  divergence: number | undefined;

  /** Waits for the next line. */
  async next(): Promise<void> {
    if ((await this.lines.next()).done) this.stop.abort();
    meter.begin();
  }

  read(): Promise<null> {
    return Promise.resolve(null);
  }

  async write({ losses }: TrainingProgress): Promise<void> {
    const loss = this.divergence ?? losses.at(-1) ?? Number.NaN;
    say({ ...meter.end(), loss } satisfies TrainingStep);
    await this.next();
  }
}

const [asked, path, windowsFile, folder] = process.argv.slice(2);
const say = (value: unknown): void => void process.stdout.write(`${JSON.stringify(value)}\n`);
const threads = Number(process.env["FEWBIT_THREADS"] ?? 1);
const backend = openBackend({ backend: "native", threads }).backend as NativeBackend;
const meter = new WorkMeter(backend);
const gate = new StepGate();
const windows = (JSON.parse(readFileSync(windowsFile, "utf8")) as number[][]).map((ids) =>
  Int32Array.from(ids),
);
const chosen = trainingCases.find(({ method }) => method === asked) as TrainingCase;
await (chosen.options ? trainModel(chosen) : trainFirstBlock()).catch((error: unknown) => {
  if (!gate.signal.aborted) throw error;
});
backend.close();

async function trainModel({ method: id, scheme, start, options }: TrainingCase): Promise<void> {
  const method: Method = methods[id];
  const from = start ? join(folder, id) : path;
  if (start) await quantize(path, { ...start, out: from, overwrite: true, threads });
  const opened = await openModel(from, { backend });
  const model = await TrainableModel.load(opened.model, trainableWeights(opened, backend));
  const parsed = method.options.parse(options) as Record<string, unknown>;
  const problem: ModelProblem<Record<string, unknown>> = {
    model,
    teacher: method.usesTeacher?.(parsed) ? await loadTeacher() : null,
    schemeOf: () => parseScheme(scheme),
    windows,
    targets: null,
    options: { ...parsed, checkpointEvery: 1 },
    seed: 0,
    store: gate,
    onStep: ({ terms }) => {
      gate.divergence = terms["kl"];
    },
    report: () => {},
    signal: gate.signal,
  };
  say({ ready: true });
  await gate.next();
  await method.trainModel?.(problem);
}

async function loadTeacher(): Promise<TrainableModel> {
  const { model, checkpoint } = await openModel(path, { backend });
  return TrainableModel.load(model, new CheckpointWeights(backend, checkpoint, "stored"));
}

/** Trains the first block towards its own outputs for the embedded windows. */
async function trainFirstBlock(): Promise<void> {
  const { model } = await openModel(path, { backend, precision: "float32" });
  const ids = Tensor.from(backend, "i32", [batch, windows[0].length], flat(windows));
  await model.loadEmbeddingAndHead();
  const input = model.embed(ids);
  const training = await blockApSteps({ model, block: await model.loadBlock(0) }, input);
  say({ ready: true });
  await gate.next();
  await runTraining({
    ...training,
    steps: Number.MAX_SAFE_INTEGER,
    store: gate,
    checkpointEvery: 1,
    signal: gate.signal,
  });
}

function flat(parts: readonly Int32Array[]): Int32Array {
  return Int32Array.from(parts.flatMap((ids) => [...ids]));
}
