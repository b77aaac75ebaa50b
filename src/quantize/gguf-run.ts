import type { GgufMetadata } from "../formats/gguf/gguf-metadata.ts";
import { openGgufParts } from "../formats/gguf/gguf-parts.ts";
import { isJsonRecord, type JsonRecord } from "../util/json.ts";
import { layerKind, type QuantizedModule } from "../formats/quantization-config.ts";
import type { Method } from "../methods/define-method.ts";
import { baseName, joinPath, parentPath, remove, status } from "../platform/node.ts";
import { discardUnfinished } from "../run/output/resumable-output.ts";
import { digestOf, identifyRun } from "../run/identity.ts";
import type { Plan } from "../run/plan.ts";
import type { RunOptions } from "../run/quantization-job.ts";
import { readRecord } from "../run/resume.ts";
import type { RunRecord } from "../run/run-record.ts";
import type { Recipe } from "../recipe/recipe.ts";
import type { OpenedModel } from "../runtime/load.ts";
import { UnsupportedError, UsageError } from "../util/errors.ts";
import { parseJson } from "../util/json.ts";
import { exportCheckpoint } from "./export-checkpoint.ts";
import type { ExportPlan } from "./export/export-format.ts";
import { planGguf } from "./export/gguf/gguf.ts";
import { type GgufTarget, prepareGgufTarget } from "./export/gguf/gguf-output.ts";
import { sampleRows } from "./export/gguf/sample-rows.ts";
import type { TensorRows } from "./export/gguf/tensor-rows.ts";
import { runChain } from "./chain.ts";
import { makePlan } from "./make-plan.ts";

/** Whether what a recipe makes is a GGUF file, and no directory. */
export function isGgufOutput({ out }: Pick<Recipe, "out">): boolean {
  return out.endsWith(".gguf");
}

/**
 * Says what a quantization to a GGUF file writes: the plan with the size of the file.
 * @throws UsageError UnsupportedError where a scheme, the tokenizer or the model do not go into one
 */
export async function planGgufRun(
  opened: OpenedModel,
  recipe: Recipe,
  plan: Plan,
  { backend, overwrite = false }: Pick<RunOptions, "backend" | "overwrite">,
): Promise<Plan> {
  const target = await prepareGgufTarget(recipe.out, inputsOf(opened), overwrite);
  return { ...plan, estimate: await estimateOf(opened, plan, target, backend) };
}

async function estimateOf(
  opened: OpenedModel,
  plan: Plan,
  target: GgufTarget,
  backend: RunOptions["backend"],
): Promise<Plan["estimate"]> {
  const modules = new Map<string, QuantizedModule>();
  for (const { module, scheme, outFeatures, inFeatures } of [...plan.linears, ...plan.ends]) {
    if (!scheme) continue;
    modules.set(module, { kind: layerKind(scheme), scheme, outFeatures, inFeatures });
  }
  const { checkpoint, config, directory: path, name, origin } = opened;
  const source = { checkpoint, config, path, name, origin, backend, record: null };
  const samples = new Map<string, TensorRows>();
  const { sizeBytes } = await planPacked(
    {
      source,
      modules,
      open: async ({ packed, shape }) => {
        if (!packed) throw new UnsupportedError("only packed weights are opened");
        const like = `${packed.scheme.id}, ${shape[1]} columns`;
        const known = samples.get(like);
        const sample = known ?? sampleRows(packed.scheme, shape[1], plan.training !== null);
        samples.set(like, sample);
        return sample;
      },
      target,
    },
    { out: target.path },
  );
  return { ...plan.estimate, outputBytes: sizeBytes };
}

/** Plans the file. @throws UnsupportedError for a scheme that no type of ggml holds exactly */
async function planPacked(...asked: Parameters<typeof planGguf>): Promise<ExportPlan> {
  try {
    return await planGguf(...asked);
  } catch (error) {
    if (!(error instanceof UnsupportedError && error.field === "type")) throw error;
    throw new UnsupportedError(error.message, {
      hint:
        "use a scheme that GGUF files hold, such as q4_k or w4g32-sym; or quantize into a " +
        "directory and export that with `requantize`",
      field: "scheme",
      cause: error,
    });
  }
}

/**
 * Quantizes into a GGUF file: into a checkpoint in a hidden folder beside it (`.NAME.checkpoint`),
 * which resumes as every run does, then from there into the file. The folder goes when the file has
 * its name. A run that was stopped in between exports again.
 * @throws UsageError when the output is taken, or an unfinished run to it is another one
 */
export async function runToGguf(
  opened: OpenedModel,
  recipe: Recipe,
  method: Method,
  options: RunOptions,
): Promise<RunRecord> {
  const { overwrite = false, resume = "auto", emit, backend } = options;
  const { path: out } = await prepareGgufTarget(recipe.out, inputsOf(opened), true);
  const folder = checkpointFolder(out);
  const identity = await identifyRun(opened.checkpoint, recipe, backend);
  if (resume === "restart") {
    await discardUnfinished(folder);
    await remove(folder);
  }
  const made = await readRunOf(out);
  const isDone = made !== null && made.identity === digestOf(identity);
  // With `overwrite`, only a folder that is there still tells that this run made the file.
  const wasStopped = (await status(folder)) !== null;
  if (isDone && resume !== "restart" && (!overwrite || wasStopped)) {
    await remove(folder);
    emit({ type: "notice", message: `${out} was made by the same run before` });
    return made;
  }
  const target = await prepareGgufTarget(recipe.out, inputsOf(opened), overwrite);
  const plan = await makePlan(opened, recipe, method, backend);
  const estimate = await estimateOf(opened, plan, target, backend);
  await expectSameRun(folder, out, digestOf(identity));
  const stage = { ...recipe, out: folder };
  const record = await runChain(opened, stage, method, {
    ...options,
    overwrite: false,
    emit: (event) =>
      emit(event.type === "plan" ? { ...event, plan: { ...event.plan, estimate } } : event),
  });
  const own = { ...record, recipe: { ...record.recipe, out } };
  await exportFolder(opened, folder, own, options);
  await remove(folder);
  return own;
}

/** Where the checkpoint of a run to a GGUF file lies until the file is there. */
function checkpointFolder(out: string): string {
  return joinPath(parentPath(out), `.${baseName(out)}.checkpoint`);
}

async function exportFolder(
  { name, origin }: OpenedModel,
  folder: string,
  record: RunRecord,
  { backend, signal, emit }: RunOptions,
): Promise<void> {
  const model = { directory: folder, name, origin, backend, record: { ...record } };
  const { out } = record.recipe;
  const notify = (message: string): void => emit({ type: "notice", message });
  try {
    // What stood there was to be replaced: that was looked at when the run began.
    await exportCheckpoint(model, {
      format: "gguf",
      out,
      overwrite: true,
      signal,
      onNotice: notify,
    });
  } catch (error) {
    if (!(error instanceof UnsupportedError)) throw error;
    const hint = `the checkpoint is kept as ${folder}: export it with \`requantize\``;
    throw new UnsupportedError(error.message, { hint, cause: error });
  }
}

/** @throws UsageError when the folder is of a run that makes something else */
async function expectSameRun(folder: string, out: string, identity: string): Promise<void> {
  if (!(await status(joinPath(folder, "run.json")))) return;
  const { identity: before } = await readRecord<RunRecord>(folder);
  if (before === identity) return;
  throw new UsageError(`an unfinished run to ${out} is not this one: it was made otherwise`, {
    hint: "start it as before to resume it, or use `resume: restart` to discard what it had done",
    field: "out",
    value: out,
  });
}

/** Reads the record of the run that made a GGUF file; null where there is none. */
async function readRunOf(out: string): Promise<RunRecord | null> {
  try {
    const files = await openGgufParts(out);
    await Promise.all(files.map((file) => file.close()));
    return runOf(files[0].metadata);
  } catch {
    return null;
  }
}

function runOf(metadata: GgufMetadata): RunRecord | null {
  const text = metadata.string("fewbit.run");
  if (text === null) return null;
  const value: unknown = parseJson(text, "fewbit.run");
  return isJsonRecord(value) ? (value as JsonRecord & RunRecord) : null;
}

function inputsOf({ checkpoint }: OpenedModel): string[] {
  return checkpoint.weightFiles.map(({ path }) => path);
}
