import { type Command, InvalidArgumentError } from "commander";
import {
  type RangeEstimator,
  rangeEstimators,
} from "../calibration/statistics/activation-ranges.ts";
import type { Method, MethodRole } from "../methods/define-method.ts";
import { methods } from "../methods/index.ts";
import type { Plan } from "../pipeline/plan.ts";
import { keptWeights } from "../report/kept-weights.ts";
import type { ApiOptions, QuantizeOptions } from "../index.ts";
import { formatPlan } from "../report/plan-summary.ts";
import { formatDone, formatQuantizationSummary } from "../report/quantization-summary.ts";
import { formatCommand } from "../report/shell-command.ts";
import { UsageError } from "../util/errors.ts";
import { DownloadDisplay } from "./download-display.ts";
import { interruptible } from "./interrupt.ts";
import type { Io } from "./io.ts";
import { addMethodOptions, pickMethodOptions } from "./method-options.ts";
import {
  addComputeOptions,
  addVoiceOptions,
  type ComputeOptions,
  collect,
  choiceOption,
  choicesOption,
  defined,
  expectGiven,
  nonNegativeInteger,
  positiveInteger,
  type VoiceOptions,
  modelArgument,
} from "./options.ts";
import { QuantizationProgress } from "./quantization-progress.ts";
import { Terminal } from "./terminal.ts";

type MethodId = keyof typeof methods;

const idsOfRole = (role: MethodRole): string[] =>
  Object.values(methods)
    .filter((method) => method.role === role)
    .map(({ id }) => id);

/** A calibration file with its weight in the mixture. */
interface CalibrationFile {
  readonly path: string;
  readonly weight?: number;
}

interface Options extends VoiceOptions, ComputeOptions {
  readonly method: MethodId;
  readonly transform?: MethodId[];
  readonly scheme: string;
  readonly out: string;
  readonly calibration?: readonly CalibrationFile[];
  readonly selfCalibration?: boolean;
  readonly samples?: number;
  readonly window?: number;
  readonly order?: "first" | "random";
  readonly bos?: "once" | "each";
  readonly allowFewer?: boolean;
  readonly ignore?: string[];
  readonly layer?: { pattern: string; scheme: string }[];
  readonly trueSequential: boolean;
  readonly activationRange?: RangeEstimator;
  readonly cacheDtype?: "f32" | "f16";
  readonly cacheOnDisk?: boolean;
  readonly embedding?: string;
  readonly head?: string;
  readonly teacher?: string;
  readonly seed?: number;
  readonly dryRun?: boolean;
  readonly overwrite?: boolean;
  readonly restart?: boolean;
}

const example = `
  fewbit quantize ./llama --method gptq --scheme w4g128 \\
    --calibration text.txt --out ./llama-w4
`;

const schemes = `
Schemes:
  w<bits>[g<group size>][-sym], with 1, 1.58, 2, 3, 4 or 8 bits: w4g128 has one
  scale for 128 weights, w4 one for a row, w4g128-sym has no zero points.

Patterns of layers:
  mlp.down_proj, layers.0.*, *.k_proj, or re:<regular expression>`;

/** Defines `fewbit quantize`. */
export function defineQuantize(command: Command, io: Io): void {
  command
    .description("Quantizes a Hugging Face checkpoint, block by block, and writes a new one.")
    .usage("MODEL --method ID --scheme ID --out DIR [options]")
    .argument("<model>", modelArgument)
    .addHelpText("before", example)
    .addHelpText("after", `${methodList()}\n${schemes}`)
    .optionsGroup("What to do:")
    .addOption(
      choiceOption("--method", idsOfRole("quantizer"), "how to choose the low-bit weights"),
    )
    .addOption(
      choicesOption(
        "--transform",
        idsOfRole("transform"),
        "prepare the weights for the method (repeatable)",
      ),
    )
    .option("--scheme <id>", "bits and group size of the linear layers, such as w4g128")
    .option("--out <dir>", "directory to write")
    .option("--overwrite", "replace a checkpoint that is there already")
    .option("--restart", "discard what an interrupted run had done, and start over")
    .option("--dry-run", "only say what would happen, and what it needs")
    .option("--ignore <pattern>", "leave these linear layers as they are (repeatable)", collect)
    .option(
      "--layer <pattern=scheme>",
      "another scheme for these layers (repeatable)",
      collectLayer,
    )
    .option("--embedding <scheme>", "quantize the embedding too, to this scheme, such as w8")
    .option("--head <scheme>", "quantize the output head too, such as w4g64")
    .option(
      "--teacher <dir>",
      "model to learn from, for methods with a teacher (default: the original)",
    )
    .option("--seed <n>", "seed of every random choice (default: 0)", nonNegativeInteger);
  addCalibrationOptions(command);
  addMethodOptions(command, methods);
  addComputeOptions(command);
  addVoiceOptions(command);
  command.action((model: string, options: Options) => runQuantize(model, options, io));
}

function addCalibrationOptions(command: Command): void {
  command
    .optionsGroup("Calibration:")
    .option(
      "--calibration <file[=weight]>",
      "text or JSONL to learn from (repeatable, mixed by weight)",
      collectCalibration,
    )
    .option("--self-calibration", "let the model write the calibration text itself")
    .option("--samples <n>", "number of windows (default: 128)", positiveInteger)
    .option("--window <tokens>", "tokens a window (default: 512, or the context)", positiveInteger)
    .addOption(
      choiceOption(
        "--order",
        ["first", "random"],
        "take the first windows, or draw them (default: first)",
      ),
    )
    .addOption(
      choiceOption(
        "--bos",
        ["once", "each"],
        "start token at the very start, or in each window (default: once)",
      ),
    )
    .option("--allow-fewer", "go on with fewer windows when the text is short")
    .option("--no-true-sequential", "gather all inputs of a block before quantizing its layers")
    .addOption(
      choiceOption(
        "--activation-range",
        rangeEstimators,
        "how schemes with a8-static or a8-integer find ranges (default: min-max)",
      ),
    )
    .addOption(
      choiceOption(
        "--cache-dtype",
        ["f32", "f16"],
        "how activations between blocks are kept (default: f32)",
      ),
    )
    .option("--cache-on-disk", "keep them in files beside the output instead of in memory");
}

async function runQuantize(model: string, options: Options, io: Io): Promise<void> {
  const terminal = new Terminal(io, options);
  expectGiven(options, ["method", "scheme", "out"], "quantize");
  const request = requestOf(options);
  const { inspect, planQuantization, quantize } = await import("../index.ts");
  if (options.dryRun) {
    const onNotice = (message: string): void => terminal.notice(message);
    const onDownload = new DownloadDisplay(terminal).handle;
    const plan = await planQuantization(model, { ...request, onNotice, onDownload });
    plan.cautions.forEach(onNotice);
    terminal.results(["", ...formatPlan(plan, terminal.resultLayout), ""]);
    terminal.json(serialisablePlan(plan));
    return;
  }
  const progress = new QuantizationProgress(terminal);
  const { record } = await interruptible(
    terminal,
    () => progress.onward,
    async (signal) => {
      const run = quantize(model, { ...request, signal });
      for await (const event of run.events) progress.handle(event);
      return run;
    },
  );
  const { tensors, quantization } = await inspect(options.out);
  const kept = keptWeights(tensors, quantization?.modules ?? []);
  const layout = terminal.resultLayout;
  terminal.notes(["", ...formatDone(record, terminal.noteLayout), ""]);
  terminal.results(formatQuantizationSummary(record, kept, layout));
  terminal.notes(["", ...nextSteps(model, options), ""]);
  terminal.json({ out: options.out, ...record });
}

/** What the library is asked for. Its defaults hold for what the command line leaves out. */
function requestOf(options: Options): QuantizeOptions & ApiOptions {
  const { method, transform: transforms = [] } = options;
  const chosen: Method[] = [...transforms, method].map((id) => methods[id]);
  const given = pickMethodOptions(chosen, methods, { ...options });
  return defined({
    out: options.out,
    transforms: transforms.map((id) => ({ method: id, options: given.get(id) })),
    method,
    options: given.get(method),
    scheme: options.scheme,
    ignore: options.ignore,
    layers: options.layer,
    embedding: options.embedding,
    head: options.head,
    calibration: calibrationOf(options),
    trueSequential: options.trueSequential,
    ...(options.activationRange && { activationRange: options.activationRange }),
    cacheDType: options.cacheDtype,
    cacheOnDisk: options.cacheOnDisk,
    teacher: options.teacher,
    seed: options.seed,
    overwrite: options.overwrite,
    resume: options.restart ? "restart" : undefined,
    threads: options.threads,
    backend: options.backend,
  }) as QuantizeOptions & ApiOptions;
}

function calibrationOf(options: Options) {
  const { calibration: files, selfCalibration: selfGenerated } = options;
  const { samples, window, order, bos, allowFewer } = options;
  if (!files && !selfGenerated) return undefined;
  if (files && selfGenerated) {
    throw new UsageError("calibration text comes from files or from the model itself, not both", {
      hint: "leave out --calibration or --self-calibration",
    });
  }
  return defined({
    files: files?.map(defined),
    selfGenerated,
    samples,
    window,
    order,
    bos,
    allowFewer,
  });
}

/** What to do with the result, as commands to copy. */
function nextSteps(model: string, options: Options): string[] {
  const evaluate = ["fewbit", "eval", options.out, "--against", model, "--text", "FILE"];
  const run = ["fewbit", "run", options.out, "--prompt", "It was a"];
  return [`  next  ${formatCommand(evaluate)}`, `        ${formatCommand(run)}`];
}

function serialisablePlan(plan: Plan): unknown {
  const linears = plan.linears.map((linear) => ({ ...linear, scheme: linear.scheme?.id ?? null }));
  return { ...plan, linears };
}

function methodList(): string {
  const describe = (role: MethodRole): string[] => {
    const width = Math.max(...idsOfRole(role).map((id) => id.length)) + 2;
    return Object.values(methods)
      .filter((method) => method.role === role)
      .map(({ id, summary }) => `  ${id.padEnd(width)}${summary}`);
  };
  const transforms = ["", "Transforms, before a method:", ...describe("transform")];
  return ["", "Methods:", ...describe("quantizer"), ...transforms].join("\n");
}

/** Reads `FILE` or `FILE=weight`; a name may hold `=` as long as no number follows its last one. */
function collectCalibration(
  text: string,
  earlier: readonly CalibrationFile[] = [],
): CalibrationFile[] {
  const match = /^(.+)=(\d+(?:\.\d+)?(?:e[+-]?\d+)?)$/i.exec(text);
  const weight = Number(match?.[2]);
  if (match?.[1] === undefined) return [...earlier, { path: text }];
  if (weight > 0) return [...earlier, { path: match[1], weight }];
  throw new InvalidArgumentError("Expected a weight above 0.");
}

function collectLayer(text: string, earlier: readonly { pattern: string; scheme: string }[] = []) {
  const at = text.lastIndexOf("=");
  if (at < 1 || at === text.length - 1) {
    throw new InvalidArgumentError("Expected PATTERN=SCHEME, such as mlp.down_proj=w4g64.");
  }
  return [...earlier, { pattern: text.slice(0, at), scheme: text.slice(at + 1) }];
}
