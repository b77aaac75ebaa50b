import { formatJson, readJsonObject } from "../../formats/json-file.ts";
import {
  absolutePath,
  baseName,
  exists,
  joinPath,
  parentPath,
  remove,
  rename,
  status,
  writeText,
} from "../../platform/node.ts";
import type { Recipe, RecipeInput } from "../../recipe/recipe.ts";
import type { AllocationRecord, UniformComparison } from "../../run/allocation-record.ts";
import { prepareTarget } from "../../run/output/output-directory.ts";
import type { RunOptions } from "../../run/quantization-job.ts";
import { readRecord } from "../../run/resume.ts";
import type { RunRecord } from "../../run/run-record.ts";
import type { OpenedModel } from "../../runtime/load.ts";
import { prepareGgufTarget } from "../export/gguf/gguf-output.ts";
import { isGgufOutput } from "../gguf-run.ts";
import { allocate } from "./allocate.ts";
import { compareOnWindows } from "./compare-uniform.ts";
import type { Allocated } from "./describe-allocation.ts";

/** Runs a recipe without an allocation, from its model on. */
export type RunPlain = (recipe: RecipeInput, options: RunOptions) => Promise<RunRecord>;

/**
 * Chooses a scheme for each layer and quantizes by that; then, unless that is not wanted, to the
 * nearest uniform scheme as well, and keeps what is nearer to the original on windows that were held
 * out. Both stand in hidden places beside the output until then, which a run that is started again
 * takes over.
 * @throws UsageError when the output is taken, or the targets cannot be met
 */
export async function runAllocated(
  opened: OpenedModel,
  recipe: Recipe,
  options: RunOptions,
  runPlain: RunPlain,
): Promise<RunRecord> {
  const { backend, signal, emit, overwrite = false } = options;
  const notify = (message: string): void => emit({ type: "notice", message });
  const chosen = await allocate(opened, recipe, { ...options, notify });
  const { record: allocation, uniform, text } = chosen;
  const done = await findDone(recipe.out, allocation.identity);
  if (done && !overwrite && options.resume !== "restart") {
    notify(`${recipe.out} was made by the same run before, and nothing was left to do`);
    return done;
  }
  await expectFree(opened, recipe, overwrite);
  const inner: RunOptions = {
    ...options,
    allocation,
    emit: (event) => void (event.type === "done" || emit(event)),
  };
  if (!uniform || text.heldOut.length === 0) {
    const record = await runPlain({ ...chosen.recipe, out: recipe.out }, inner);
    await draw(recipe, recipe.out, allocation, options);
    return record;
  }
  const places = {
    allocated: beside(recipe.out, "allocated"),
    uniform: beside(recipe.out, "uniform"),
  };
  const records = {
    allocated: await runPlain(
      { ...chosen.recipe, out: places.allocated },
      { ...inner, overwrite: false },
    ),
    uniform: await makeUniform(chosen, places, { ...inner, overwrite: false }, runPlain),
  };
  notify(`comparing with ${uniform.id} on ${text.heldOut.length} windows that were held out`);
  const found = await compareOnWindows({ original: opened.directory, ...places }, text.heldOut, {
    backend,
    signal,
  });
  const comparison = { scheme: uniform.id, sizeBytes: records.uniform.sizeBytes, ...found };
  const { written } = comparison;
  await remove(places[written === "allocated" ? "uniform" : "allocated"]);
  await draw(recipe, places[written], allocation, options);
  return putInPlace(
    recipe,
    places[written],
    noted(records[written], allocation, comparison, recipe.out),
  );
}

async function makeUniform(
  { uniform }: Allocated,
  places: { readonly uniform: string },
  options: RunOptions,
  runPlain: RunPlain,
): Promise<RunRecord> {
  options.emit({ type: "notice", message: `quantizing to ${uniform?.id}, to compare with` });
  return runPlain({ ...(uniform?.recipe as RecipeInput), out: places.uniform }, options);
}

function noted(
  record: RunRecord,
  allocation: AllocationRecord,
  uniform: UniformComparison,
  out: string,
): RunRecord {
  return {
    ...record,
    recipe: { ...record.recipe, out },
    allocation: { ...allocation, uniform },
  };
}

/** Draws the allocation beside the weights, where these have a directory. */
async function draw(
  recipe: Recipe,
  place: string,
  allocation: AllocationRecord,
  { drawAllocation }: RunOptions,
): Promise<void> {
  if (!drawAllocation || isGgufOutput(recipe)) return;
  await writeText(joinPath(place, "allocation.svg"), drawAllocation(allocation));
}

/** A hidden place for a checkpoint or file that may become the output. */
function beside(out: string, what: string): string {
  const path = absolutePath(out);
  const suffix = out.endsWith(".gguf") ? ".gguf" : "";
  return joinPath(parentPath(path), `.${baseName(path)}.${what}${suffix}`);
}

async function expectFree(
  { checkpoint, directory }: OpenedModel,
  recipe: Recipe,
  overwrite: boolean,
): Promise<void> {
  if (isGgufOutput(recipe)) {
    const inputs = checkpoint.weightFiles.map(({ path }) => path);
    await prepareGgufTarget(recipe.out, inputs, overwrite);
  } else {
    await prepareTarget(recipe.out, { overwrite, inputs: [directory] });
  }
}

/** Gives what was made the output's name; its record says what it was compared with. */
async function putInPlace(recipe: Recipe, place: string, record: RunRecord): Promise<RunRecord> {
  const { path } = isGgufOutput(recipe)
    ? { path: absolutePath(recipe.out) }
    : await prepareTarget(recipe.out, { overwrite: true });
  if (!isGgufOutput(recipe)) {
    const file = joinPath(place, "run.json");
    await writeText(file, formatJson({ ...(await readJsonObject(file)), ...record }));
  }
  if (await status(path)) await remove(path);
  await rename(place, path);
  return record;
}

/** The record of what stands at an output, where the same allocation made it. */
async function findDone(out: string, identity: string): Promise<RunRecord | null> {
  if (!(await exists(joinPath(out, "run.json")))) return null;
  const { result } = await readRecord<RunRecord>(out);
  return result.allocation?.identity === identity ? result : null;
}
