import { type Command, InvalidArgumentError } from "commander";
import {
  type RangeEstimator,
  rangeEstimators,
} from "../../calibration/statistics/activation-ranges.ts";
import type { Method, MethodRole } from "../../methods/define-method.ts";
import { methods } from "../../methods/index.ts";
import type { Preset } from "../../recipe/presets/define-preset.ts";
import { type PresetId, presets } from "../../recipe/presets/index.ts";
import type { Plan } from "../../run/plan.ts";
import { keptWeights } from "../../report/kept-weights.ts";
import type { ApiOptions, QuantizeOptions } from "../../index.ts";
import { formatPlan } from "../../report/plan-summary.ts";
import { formatDone, formatQuantizationSummary } from "../../report/quantization-summary.ts";
import { formatCommand } from "../../util/shell-command.ts";
import { UsageError } from "../../util/errors.ts";
import { DownloadDisplay } from "../download-display.ts";
import { interruptible } from "../interrupt.ts";
import type { Io } from "../io.ts";
import { addMethodOptions, pickMethodOptions } from "../method-options.ts";
import {
  addComputeOptions,
  addVerbosityOptions,
  type ComputeOptions,
  collect,
  choiceOption,
  choicesOption,
  defined,
  expectGiven,
  nonNegativeInteger,
  positiveInteger,
  type VerbosityOptions,
  modelArgument,
} from "../options.ts";
import { QuantizationProgress } from "../quantization-progress.ts";
import { Terminal } from "../terminal.ts";

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

interface Options extends VerbosityOptions, ComputeOptions {
  readonly method?: MethodId;
  readonly preset?: PresetId;
  readonly finish?: MethodId[];
  readonly finishText?: readonly CalibrationFile[];
  readonly finishSamples?: number;
  readonly finishWindow?: number;
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
    .addOption(
      choicesOption(
        "--finish",
        idsOfRole("finisher"),
        "train the quantized model further (repeatable)",
      ),
    )
    .addOption(
      choiceOption("--preset", Object.keys(presets), "methods that belong together, by one name"),
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
  addFinishOptions(command);
  addMethodOptions(command, methods);
  addComputeOptions(command);
  addVerbosityOptions(command);
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
    .option("--allow-fewer", "continue with fewer windows when the text is short")
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

function addFinishOptions(command: Command): void {
  command
    .optionsGroup("Text of finishers, where it is not the calibration text:")
    .option(
      "--finish-text <file[=weight]>",
      "text, or JSONL of chat messages: then only answers are learned (repeatable)",
      collectCalibration,
    )
    .option("--finish-samples <n>", "number of windows (default: 128)", positiveInteger)
    .option(
      "--finish-window <tokens>",
      "tokens a window (default: 512, or the context)",
      positiveInteger,
    );
}

async function runQuantize(model: string, options: Options, io: Io): Promise<void> {
  const terminal = new Terminal(io, options);
  expectGiven(
    options,
    options.preset ? ["scheme", "out"] : ["method", "scheme", "out"],
    "quantize",
  );
  const request = requestOf(options);
  const { inspect, planQuantization, quantize } = await import("../../index.ts");
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
  const { method, transforms, finishers } = chainOf(options);
  const chosen: Method[] = [...transforms, method, ...finishers].map((id) => methods[id]);
  const given = pickMethodOptions(chosen, methods, { ...options });
  const data = finishTextOf(options, finishers);
  return defined({
    out: options.out,
    transforms: transforms.map((id) => ({ method: id, options: given.get(id) })),
    method,
    finishers: finishers.map((id) => defined({ method: id, options: given.get(id), data })),
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

/** The methods that are asked for, one by one or as a preset. @throws UsageError when both are */
function chainOf(options: Options) {
  const { method, preset: id, transform: transforms = [], finish: finishers = [] } = options;
  if (!id) return { method: method as MethodId, transforms, finishers };
  const preset: Preset = presets[id];
  const isTwofold = method !== undefined || transforms.length + finishers.length > 0;
  if (!isTwofold) {
    return {
      method: preset.method,
      transforms: preset.transforms ?? [],
      finishers: preset.finishers,
    };
  }
  throw new UsageError(`the preset ${id} names the methods already`, {
    hint: `leave out --preset, or --method, --transform and --finish: it is --method ${preset.method} ${preset.finishers.map((each) => `--finish ${each}`).join(" ")}`,
  });
}

/**
 * Text of the finishers; undefined: the calibration text.
 * @throws UsageError when there is no use for it
 */
function finishTextOf(options: Options, finishers: readonly MethodId[]) {
  const { finishText: files, finishSamples: samples, finishWindow: window } = options;
  if (files && finishers.length > 0) return defined({ files: files.map(defined), samples, window });
  const [flag] = Object.keys(
    defined({ "--finish-text": files, "--finish-samples": samples, "--finish-window": window }),
  );
  if (flag === undefined) return undefined;
  throw new UsageError(
    files
      ? `${flag} is for finishers, and none was given`
      : `${flag} is about the text of --finish-text, and none was given`,
    { hint: files ? "name one: --finish e2e-qp" : "finishers take the calibration text then" },
  );
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
  const finishers = ["", "Finishers, after a method:", ...describe("finisher")];
  const named = Object.values(presets).map(({ id, summary }) => `  ${id.padEnd(14)}${summary}`);
  const chains = ["", "Presets:", ...named];
  return ["", "Methods:", ...describe("quantizer"), ...transforms, ...finishers, ...chains].join(
    "\n",
  );
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
