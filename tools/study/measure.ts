import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { evaluate, quantize, train } from "../../src/index.ts";
import type { Choice, Study } from "./studies.ts";

/** One line of a study. */
export interface Result {
  readonly variant: string;
  /** Of the linear layers. */
  readonly bitsPerWeight: number;
  readonly sizeBytes: number;
  readonly perplexity: number;
  /** Half the width of the 95 % interval. */
  readonly perplexityInterval: number;
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
    return this.once(basename(this.study.model), async () => ({
      path: this.study.model,
      seconds: 0,
    }));
  }

  /** The float model, trained further on the same windows for as many steps. */
  fineTuned(): Promise<Result> {
    const { model, training, window, steps, learningRate } = this.study;
    return this.once("float, fine-tuned", async (out) => {
      const run = train(
        {
          from: model,
          steps,
          data: { files: [training], documents: "joined", window, batch: 8, order: "random" },
          optimizer: {
            learningRate,
            betas: [0.9, 0.999],
            weightDecay: 0,
            warmUp: 0,
            finalRatio: 0,
            clip: 1,
          },
        },
        { out, overwrite: true },
      );
      const { record } = await run;
      return { path: out, seconds: record.elapsedMs / 1000 };
    });
  }

  /** A quantized variant. */
  quantized(variant: string, choice: Choice): Promise<Result> {
    const { model, training, window, windows } = this.study;
    return this.once(variant, async (out) => {
      const data = { calibration: training, samples: windows, window };
      const { record } = await quantize(model, { ...choice, ...data, out, overwrite: true });
      return { path: out, seconds: record.elapsedMs / 1000 };
    });
  }

  private async once(
    variant: string,
    make: (out: string) => Promise<{ path: string; seconds: number }>,
  ): Promise<Result> {
    const name = variant.replaceAll(/[^\w.-]+/g, "-");
    const file = join(this.folder, "results", `${name}.json`);
    if (existsSync(file)) return JSON.parse(readFileSync(file, "utf8")) as Result;
    const made = await make(join(this.folder, name));
    const result = await this.measure(variant, made.path, made.seconds);
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, `${JSON.stringify(result, null, 2)}\n`);
    return result;
  }

  private async measure(variant: string, path: string, seconds: number): Promise<Result> {
    const { model, test, tasks, window, testWindows } = this.study;
    const isOriginal = path === model;
    const measured = await evaluate(path, {
      text: test,
      window,
      maxWindows: testWindows,
      speedTokens: 0,
      tasks,
      ...(!isOriginal && { against: model }),
    });
    const scores = measured.tasks;
    const mean = (values: readonly number[]): number | null =>
      values.length === 0 ? null : values.reduce((sum, value) => sum + value, 0) / values.length;
    return {
      variant,
      bitsPerWeight: measured.bitsPerWeight.linear,
      sizeBytes: measured.sizeBytes,
      perplexity: measured.perplexity,
      perplexityInterval: 1.96 * measured.loss.standardError * measured.perplexity,
      klDivergence: measured.klDivergence?.mean ?? null,
      accuracy: mean(scores.map(({ accuracy }) => accuracy.mean)),
      aboveChance: mean(scores.map(({ accuracyAboveChance }) => accuracyAboveChance)),
      seconds,
    };
  }
}
