import { type Command, Option } from "commander";
import type { Method, MethodRole } from "../../methods/define-method.ts";
import {
  type FinisherId,
  type MethodId,
  methods,
  methodsInRole,
  type QuantizerId,
  type TransformId,
} from "../../methods/index.ts";
import type { Preset } from "../../recipe/presets/define-preset.ts";
import { type PresetId, presets } from "../../recipe/presets/index.ts";
import { type RecipeInput, recipeFields } from "../../recipe/recipe.ts";
import type { Plan } from "../../run/plan.ts";
import { describeAllocation, formatAllocation } from "../../report/allocation-table.ts";
import { keptWeights } from "../../report/kept-weights.ts";
import type { ApiOptions, QuantizeOptions } from "../../index.ts";
import { formatPlan } from "../../report/plan-summary.ts";
import { formatTensorPlan } from "../../report/tensor-plan.ts";
import { formatDone, formatQuantizationSummary } from "../../report/quantization-summary.ts";
import { formatCommand } from "../../util/shell-command.ts";
import { UsageError } from "../../util/errors.ts";
import { DownloadDisplay } from "../download-display.ts";
import { addFieldOptions, readFields } from "../field-options.ts";
import { explainsAll } from "../help.ts";
import { interruptible } from "../interrupt.ts";
import type { Io } from "../io.ts";
import { addMethodOptions, pickMethodOptions } from "../method-options.ts";
import {
  addComputeOptions,
  addVerbosityOptions,
  type ComputeOptions,
  choiceOption,
  defined,
  expectGiven,
  type VerbosityOptions,
  modelArgument,
} from "../options.ts";
import { QuantizationProgress } from "../quantization-progress.ts";
import { Terminal } from "../terminal.ts";

/** What is no field of a recipe. */
interface Options extends VerbosityOptions, ComputeOptions {
  readonly preset?: PresetId;
  readonly dryRun?: boolean;
  readonly overwrite?: boolean;
  readonly restart?: boolean;
}

/** Fields of a recipe as a command line says them. */
interface GivenFields
  extends Partial<Pick<RecipeInput, "method" | "scheme" | "out" | "calibration" | "allocation">> {
  readonly start?: QuantizerId;
  readonly transforms?: readonly TransformId[];
  readonly finishers?: readonly FinisherId[];
  /** Text of all finishers. */
  readonly finishText?: NonNullable<RecipeInput["calibration"]>;
}

const example = `
  fewbit quantize ./llama --method gptq --scheme w4g128 \\
    --calibration text.txt --out ./llama-w4
`;

const schemes = `
Schemes:
  w<bits>[g<group size>][-sym], with 1, 1.58, 2, 3, 4 or 8 bits: w4g128 has one
  scale for 128 weights, w4 one for a row, w4g128-sym has no zero points.`;

const patterns = `
Patterns of layers:
  mlp.down_proj, layers.0.*, *.k_proj, or re:<regular expression>`;

/** Defines `fewbit quantize`. */
export function defineQuantize(command: Command, io: Io): void {
  command
    .description("Quantizes a checkpoint, block by block, and writes a new one.")
    .usage("MODEL --method ID --scheme ID --out DIR [options]")
    .argument("<model>", modelArgument)
    .addHelpText("before", example)
    .addHelpText("after", () =>
      explainsAll(command) ? `${methodList()}\n${schemes}\n${patterns}` : schemes,
    );
  addFieldOptions(command, recipeFields, {
    finishers: [
      choiceOption("--preset", Object.keys(presets), "methods that belong together, by one name"),
    ],
    out: [
      new Option("--overwrite", "replace a checkpoint that is there already"),
      new Option("--restart", "discard what an interrupted run had done"),
      new Option("--dry-run", "only say what would happen, and what it needs"),
    ],
  });
  addMethodOptions(command);
  addComputeOptions(command);
  addVerbosityOptions(command);
  command.action((model: string, options: Options) =>
    runQuantize(model, readFields(command), options, io),
  );
}

async function runQuantize(
  model: string,
  given: GivenFields,
  options: Options,
  io: Io,
): Promise<void> {
  const terminal = new Terminal(io, options);
  const method = options.preset ? [] : (["method"] as const);
  const scheme = given.allocation ? [] : (["scheme"] as const);
  expectGiven(given, [...method, ...scheme, "out"], "quantize");
  const request = requestOf(given, options);
  const { inspect, planQuantization, quantize } = await import("../../index.ts");
  if (options.dryRun) {
    const onNotice = (message: string): void => terminal.notice(message);
    const onDownload = new DownloadDisplay(terminal).handle;
    const plan = await planQuantization(model, { ...request, onNotice, onDownload });
    plan.cautions.forEach(onNotice);
    terminal.results(["", ...formatPlan(plan, terminal.resultLayout), ""]);
    const { allocation } = plan;
    if (allocation) terminal.results([...formatAllocation(allocation, terminal.resultLayout), ""]);
    if (plan.kept) terminal.results([...formatTensorPlan(plan, terminal.resultLayout), ""]);
    terminal.json(serialisablePlan(plan));
    return;
  }
  const progress = new QuantizationProgress(terminal);
  const { record } = await interruptible(
    terminal,
    () => progress.whenStopped,
    async (signal) => {
      const run = quantize(model, { ...request, signal });
      for await (const event of run.events) progress.handle(event);
      return run;
    },
  );
  const { tensors, quantization, config } = await inspect(request.out);
  const kept = keptWeights(tensors, quantization?.modules ?? [], config?.names.head ?? null);
  const layout = terminal.resultLayout;
  terminal.notes(["", ...formatDone(record, terminal.noteLayout), ""]);
  terminal.results(formatQuantizationSummary(record, kept, layout));
  const { allocation } = record;
  if (allocation) {
    terminal.results(["", ...describeAllocation(allocation).map((line) => `  ${line}`)]);
  }
  const next = config ? nextSteps(model, request.out) : nextStepElsewhere(request.out);
  terminal.notes(["", ...next, ""]);
  terminal.json({ out: request.out, ...record });
}

/** What the library is asked for. Its defaults hold for what the command line leaves out. */
function requestOf(given: GivenFields, options: Options): QuantizeOptions & ApiOptions {
  const { finishText, calibration, ...fields } = given;
  const { method, transforms, finishers } = chainOf(given, options);
  const { start } = given;
  const chosen: Method[] = [...transforms, method, ...finishers].map((id) => methods[id]);
  const starter: Method | null = start === undefined ? null : methods[start];
  const optionsOf = pickMethodOptions(chosen, starter, { ...options });
  expectUse(finishText, finishers);
  return defined({
    ...fields,
    transforms: transforms.map((id) => ({ method: id, options: optionsOf.get(id) })),
    method,
    start: start && { method: start, options: optionsOf.get(start) },
    finishers: finishers.map((id) =>
      defined({ method: id, options: optionsOf.get(id), data: finishText }),
    ),
    options: optionsOf.get(method),
    calibration: expectOneSource(calibration ?? {}, methods[method]),
    overwrite: options.overwrite,
    resume: options.restart ? "restart" : undefined,
    threads: options.threads,
    backend: options.backend,
  }) as QuantizeOptions & ApiOptions;
}

/** The methods that are asked for, one by one or as a preset. @throws UsageError when both are */
function chainOf(
  { method, transforms = [], finishers = [] }: GivenFields,
  { preset: id }: Options,
): { method: MethodId; transforms: readonly TransformId[]; finishers: readonly FinisherId[] } {
  if (method !== undefined && Object.hasOwn(presets, method)) {
    throw new UsageError(`${method} is a preset of several methods`, {
      hint: `use --preset ${method}, without --method`,
    });
  }
  if (!id) return { method: method as MethodId, transforms, finishers };
  const preset: Preset = presets[id];
  if (method === undefined && transforms.length + finishers.length === 0) {
    return { ...preset, transforms: preset.transforms ?? [] };
  }
  const same = [`--method ${preset.method}`, ...preset.finishers.map((each) => `--finish ${each}`)];
  throw new UsageError(`the preset ${id} names the methods already`, {
    hint: `leave out --preset, or --method, --transform and --finish: it is ${same.join(" ")}`,
  });
}

/** @throws UsageError when there is text of finishers, or something about it, and no use for it */
function expectUse(text: GivenFields["finishText"], finishers: readonly FinisherId[]): void {
  if (!text || (text.files && finishers.length > 0)) return;
  if (!text.files) {
    const [name] = Object.keys(text);
    throw new UsageError(
      `--finish-${name} is about the text of --finish-text, and none was given`,
      { hint: "finishers take the calibration text then" },
    );
  }
  throw new UsageError("--finish-text is for finishers, and none was given", {
    hint: "name one: --finish e2e-qp",
  });
}

/** Calibration that has text; undefined without any. @throws UsageError when text is given twice */
function expectOneSource(
  calibration: NonNullable<RecipeInput["calibration"]>,
  { writesText }: Pick<Method, "writesText">,
): RecipeInput["calibration"] | undefined {
  const { files, selfGenerated, selfGeneratedForm, imageEmbeddings } = calibration;
  const isSaid = files ?? selfGenerated ?? selfGeneratedForm ?? imageEmbeddings ?? writesText;
  if (!files || !selfGenerated) return isSaid ? calibration : undefined;
  throw new UsageError("calibration text comes from files or from the model itself, not both", {
    hint: "leave out --calibration or --self-calibration",
  });
}

/** What to do with the result, as commands to copy. */
function nextSteps(model: string, out: string): string[] {
  const evaluate = ["fewbit", "eval", out, "--against", model, "--text", "FILE"];
  const run = ["fewbit", "run", out, "--prompt", "It was a"];
  return [`  next  ${formatCommand(evaluate)}`, `        ${formatCommand(run)}`];
}

/** What to do with a model that other programs run. */
function nextStepElsewhere(out: string): string[] {
  const decode = ["fewbit", "export", out, "--format", "hf", "--out", `${out}-decoded`];
  return [`  next  ${formatCommand(decode)}`];
}

function serialisablePlan(plan: Plan): object {
  const linears = plan.linears.map((linear) => ({ ...linear, scheme: linear.scheme?.id ?? null }));
  return { ...plan, linears };
}

function methodList(): string {
  const describe = (role: MethodRole): string[] => {
    const listed = methodsInRole(role);
    const width = Math.max(...listed.map(({ id }) => id.length)) + 2;
    return listed.map(({ id, summary }) => `  ${id.padEnd(width)}${summary}`);
  };
  const transforms = ["", "Transforms, before a method:", ...describe("transform")];
  const finishers = ["", "Finishers, after a method:", ...describe("finisher")];
  const named = Object.values(presets).map(({ id, summary }) => `  ${id.padEnd(14)}${summary}`);
  const chains = ["", "Presets:", ...named];
  return ["", "Methods:", ...describe("quantizer"), ...transforms, ...finishers, ...chains].join(
    "\n",
  );
}
