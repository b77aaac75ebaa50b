import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import {
  type Evaluation,
  evaluate,
  quantize,
  train,
  type TrainConfigInput,
} from "../../src/index.ts";
import type { Study, Variant } from "./studies.ts";

/** One line of a study. */
export interface Result {
  readonly variant: string;
  /** Of the linear layers. */
  readonly bitsPerWeight: number;
  readonly sizeBytes: number;
  /** Of each text, with half the width of its 95 % interval. */
  readonly perplexities: readonly { readonly value: number; readonly interval: number }[];
  readonly klDivergence: number | null;
  /** Mean over the tasks; null without any. */
  readonly accuracy: number | null;
  /** Mean share of the way from chance to 1; null without tasks. */
  readonly aboveChance: number | null;
  /** Seconds to make it. */
  readonly seconds: number;
}

/** Makes and measures the variants of a study, each once: results are kept in its folder. */
export class StudyRun {
  private readonly study: Study;
  private readonly folder: string;

  constructor(study: Study, folder: string) {
    this.study = study;
    this.folder = folder;
  }

  /** The model as it is. */
  original(): Promise<Result> {
    const { model } = this.study;
    return this.once(basename(model), model, null);
  }

  /** The float model, trained further on the same windows for as many steps. */
  fineTuned(): Promise<Result> {
    const { model, training, window, windows, learningRate } = this.study;
    const data = { files: [training], documents: "joined", window, batch: 8, order: "sequential" };
    const steps = Math.ceil(windows / 8);
    const optimizer = {
      learningRate,
      betas: [0.9, 0.999],
      weightDecay: 0,
      warmUp: 0,
      finalRatio: 0,
      clip: 1,
    };
    const config = { from: model, steps, data, optimizer } as TrainConfigInput;
    return this.made("float, fine-tuned", (out) => train(config, { out, overwrite: true }));
  }

  /** A quantized variant. */
  quantized({ name, choice, windows }: Variant): Promise<Result> {
    const { model, training, window } = this.study;
    const data = { calibration: training, samples: windows, window };
    return this.made(name, (out) => quantize(model, { ...choice, ...data, out, overwrite: true }));
  }

  private made(variant: string, make: (out: string) => PromiseLike<unknown>): Promise<Result> {
    return this.once(variant, join(this.folder, fileNameOf(variant)), make);
  }

  /** Makes the checkpoint unless it is there, and measures it unless that was done. */
  private async once(
    variant: string,
    path: string,
    make: ((out: string) => PromiseLike<unknown>) | null,
  ): Promise<Result> {
    const file = join(this.folder, "results", `${fileNameOf(variant)}.json`);
    if (existsSync(file)) return JSON.parse(readFileSync(file, "utf8")) as Result;
    const record = join(path, "run.json");
    if (make && !existsSync(record)) await make(path);
    const elapsedMs = make ? JSON.parse(readFileSync(record, "utf8")).elapsedMs : 0;
    const result = await this.measure(variant, path, elapsedMs / 1000);
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, `${JSON.stringify(result, null, 2)}\n`);
    return result;
  }

  private async measure(variant: string, path: string, seconds: number): Promise<Result> {
    const { tests, tasks } = this.study;
    const questions = tasks === null ? [] : readdirSync(tasks).map((file) => join(tasks, file));
    const [first, ...others] = tests;
    const measured = await this.evaluate(path, first, questions);
    const texts = [measured];
    for (const text of others) texts.push(await this.evaluate(path, text, []));
    const mean = (values: readonly number[]): number | null =>
      values.length === 0 ? null : values.reduce((sum, value) => sum + value, 0) / values.length;
    return {
      variant,
      bitsPerWeight: measured.bitsPerWeight.linear,
      sizeBytes: measured.sizeBytes,
      perplexities: texts.map(({ perplexity, loss }) => ({
        value: perplexity,
        interval: 1.96 * loss.standardError * perplexity,
      })),
      klDivergence: measured.klDivergence?.mean ?? null,
      accuracy: mean(measured.tasks.map(({ accuracy }) => accuracy.mean)),
      aboveChance: mean(measured.tasks.map(({ accuracyAboveChance }) => accuracyAboveChance)),
      seconds,
    };
  }

  private evaluate(path: string, text: string, tasks: readonly string[]): Promise<Evaluation> {
    const { model, window, testWindows } = this.study;
    const against = path === model ? {} : { against: model };
    return evaluate(path, {
      text,
      window,
      maxWindows: testWindows,
      speedTokens: 0,
      tasks,
      ...against,
    });
  }
}

function fileNameOf(variant: string): string {
  return variant.replaceAll(/[^\w.-]+/g, "-");
}
