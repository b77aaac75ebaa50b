import { relative, resolve } from "node:path";
import { QuantizationProgress } from "../../src/cli/quantization-progress.ts";
import type { Terminal } from "../../src/cli/terminal.ts";
import {
  evaluate,
  type LanguageModel,
  load,
  quantize,
  type TaskProgress,
} from "../../src/index.ts";
import type { ComparedVariant, Origin } from "../../src/report/comparison.ts";
import { meanAccuracy, variantFigures } from "../../src/report/evaluation-figures.ts";
import { formatDuration, formatNumber, formatPercentage } from "../../src/report/format.ts";
import { formatCommand } from "../../src/util/shell-command.ts";
import type { ShippedCheckpoint } from "../../builtin/shipped-checkpoints.ts";
import type { Inputs } from "./inputs.ts";
import { type Variant, wordsOf } from "./variants.ts";

const window = 256;
const testWindows = 64;

/** Makes variants of a model and measures them alike. */
export class Measurement {
  private readonly terminal: Terminal;
  private readonly inputs: Inputs;
  private readonly model: LanguageModel;
  private readonly signal: AbortSignal;

  constructor(terminal: Terminal, inputs: Inputs, model: LanguageModel, signal: AbortSignal) {
    this.terminal = terminal;
    this.inputs = inputs;
    this.model = model;
    this.signal = signal;
  }

  /** Measures the original. */
  original(): Promise<ComparedVariant> {
    return this.measure(this.model, {
      name: `${this.model.name}`,
      bits: 16,
      origin: "original",
      elapsedMs: null,
      command: null,
    });
  }

  /** Quantizes into a folder and measures the result. */
  async make(variant: Variant, out: string, step: string): Promise<ComparedVariant> {
    const command = this.commandOf(variant, out);
    this.terminal.notes(["", `  ${step}  ${command}`]);
    const elapsedMs = await this.quantizeTo(variant, out);
    const origin = variant.trained ? "trained" : "computed";
    return this.open(out, { ...variant, origin, elapsedMs, command });
  }

  /** Measures a checkpoint that was made before. */
  shipped(checkpoint: ShippedCheckpoint, step: string): Promise<ComparedVariant> {
    const { name, bits, path, words } = checkpoint;
    this.terminal.notes([
      "",
      `  ${step}  ${name}, shipped: made by npm run builtin -- checkpoints`,
    ]);
    const command = formatCommand(["fewbit", "quantize", "builtin/model", ...words, "--out", path]);
    const made = { name, bits, command, origin: "shipped", elapsedMs: null } as const;
    return this.open(path, made);
  }

  private async open(path: string, made: Made): Promise<ComparedVariant> {
    const model = await load(path, { signal: this.signal });
    try {
      return await this.measure(model, made);
    } finally {
      model.release();
    }
  }

  private async measure(model: LanguageModel, made: Made): Promise<ComparedVariant> {
    const { terminal, signal, inputs } = this;
    const onText = await evaluate(model, {
      text: inputs.test,
      window,
      maxWindows: testWindows,
      ...(model === this.model ? {} : { against: this.model }),
      signal,
    });
    // Apart from the text, so that the original's answers are not scored again beside each variant.
    const tasks =
      inputs.tasks.length === 0
        ? []
        : (await evaluate(model, { tasks: inputs.tasks, signal, onTaskProgress: this.showTask }))
            .tasks;
    const parts = [
      `perplexity ${formatNumber(onText.perplexity, 4)}`,
      ...(tasks.length > 0 ? [`accuracy ${formatPercentage(meanAccuracy(tasks) ?? 0)}`] : []),
      ...(made.elapsedMs === null ? [] : [`made in ${formatDuration(made.elapsedMs)}`]),
    ];
    terminal.clearProgress();
    terminal.notes([`     ${parts.join(" · ")}`]);
    const { name, bits, origin, elapsedMs, command } = made;
    const figures = { ...variantFigures(onText, name), accuracy: meanAccuracy(tasks) };
    return { figures, bits, origin, elapsedMs, command, tasks };
  }

  private readonly showTask = ({
    task,
    options,
    totalOptions,
    remainingMs,
  }: TaskProgress): void => {
    if (!this.terminal.redraws) return;
    this.terminal.progress({
      noun: `${task} answer`,
      current: options,
      total: totalOptions,
      fraction: options / totalOptions,
      remainingMs,
    });
  };

  private async quantizeTo({ choice, windows }: Variant, out: string): Promise<number> {
    const { terminal, signal, inputs } = this;
    const progress = new QuantizationProgress(terminal);
    const run = quantize(this.model, {
      ...choice,
      out,
      overwrite: true,
      signal,
      ...(windows > 0 && { calibration: inputs.calibration, samples: windows, window }),
    });
    for await (const event of run.events) {
      // In a log the blocks and steps of a run of seconds would only be noise.
      if (event.type === "plan" || (!terminal.redraws && event.type !== "notice")) continue;
      progress.handle(event);
    }
    return (await run).record.elapsedMs;
  }

  private commandOf(variant: Variant, out: string): string {
    const path = (to: string): string => relative(process.cwd(), resolve(to));
    const { model, calibration } = this.inputs;
    const { windows } = variant;
    return formatCommand([
      "fewbit",
      "quantize",
      path(model),
      ...wordsOf(variant),
      ...(windows > 0 ? ["--calibration", path(calibration)] : []),
      ...(windows > 0 ? ["--samples", String(windows), "--window", String(window)] : []),
      "--out",
      path(out),
    ]);
  }
}

/** What is known of a variant before it is measured. */
interface Made {
  readonly name: string;
  readonly bits: number;
  readonly origin: Origin;
  readonly elapsedMs: number | null;
  readonly command: string | null;
}
