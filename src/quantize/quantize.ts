import type { Backend } from "../backend/backend.ts";
import type { ResolveOptions } from "../hub/resolve-model.ts";
import type { OpenedModel } from "../runtime/load.ts";
import { finisherRecipe, runChain } from "./chain.ts";
import { allocate } from "./allocation/allocate.ts";
import { assignedRecipe, smallestOptions } from "./allocation/plain-recipe.ts";
import { settle } from "./allocation/setting.ts";
import { runAllocated } from "./allocation/run-allocated.ts";
import { expectTeacher } from "./expect-teacher.ts";
import { planGeneric, runGeneric } from "./generic/generic-run.ts";
import { isGgufOutput, planGgufRun, runToGguf } from "./gguf-run.ts";
import { expectDisk, makePlan } from "./make-plan.ts";
import { asEvents, openOriginal } from "../run/open-original.ts";
import { expectImages } from "../run/image-embeddings.ts";
import type { Plan } from "../run/plan.ts";
import { recipeModel } from "./recipe-model.ts";
import { rotateModel } from "./rotate-model.ts";
import { methodsWithoutText } from "../recipe/expect-generic.ts";
import { parseRecipe, settleRecipe } from "../recipe/parse-recipe.ts";
import { finishersOf, type Recipe, type RecipeInput } from "../recipe/recipe.ts";
import type { RunOptions } from "../run/quantization-job.ts";
import type { RunRecord } from "../run/run-record.ts";
import { UnsupportedError } from "../util/errors.ts";

/** How a recipe is planned. */
export interface PlanRecipeOptions extends ResolveOptions {
  /** Whether an allocation is chosen, for which it is measured; default true. */
  readonly allocates?: boolean;
}

/**
 * Says what a recipe would do, without doing it. Where its allocation is not chosen, the smallest
 * choices stand for it.
 * @throws as `runRecipe` does before work
 */
export async function planRecipe(
  input: RecipeInput,
  backend: Backend,
  options: PlanRecipeOptions = {},
): Promise<Plan> {
  const checked = parseRecipe(input);
  if (checked.parsed.generic) return planGeneric(checked, backend, options);
  const { parsed, method, choices } = checked;
  const original = await openKnown(parsed.model, backend, options);
  try {
    const recipe = settleRecipe(parsed, recipeModel(original));
    await expectTeacher(original, recipe);
    await expectImages(original, recipe.calibration);
    const { opened, notices } = await rotateModel(original, recipe, backend);
    if (recipe.allocation) return await planAllocated(opened, recipe, backend, options);
    const made = await makePlan(opened, recipe, method, backend);
    const toGguf = isGgufOutput(recipe);
    const plan = toGguf
      ? await planGgufRun(opened, recipe, made, { backend, overwrite: true })
      : made;
    await expectDisk(plan, recipe.out);
    const titles = [plan.methodTitle, ...finishersOf(recipe).map(({ method: { title } }) => title)];
    const { estimate, cautions } = await withFinishers(plan, opened, recipe, backend);
    const said = [...new Set([...choices, ...notices, ...cautions])];
    return { ...plan, methodTitle: titles.join(" + "), cautions: said, estimate };
  } finally {
    await original.checkpoint.close();
  }
}

async function planAllocated(
  opened: OpenedModel,
  recipe: Recipe,
  backend: Backend,
  options: PlanRecipeOptions,
): Promise<Plan> {
  const { signal, onNotice, allocates = true } = options;
  const asked = { backend, signal, notify: (message: string) => onNotice?.(message) };
  if (!allocates) {
    const setting = await settle(opened, recipe, asked);
    const smallest = assignedRecipe(setting, smallestOptions(setting.groups));
    return planRecipe(smallest, backend, options);
  }
  const { recipe: plain, record } = await allocate(opened, recipe, asked);
  return { ...(await planRecipe(plain, backend, options)), allocation: record };
}

/** Opens a model that fewbit can run. @throws UnsupportedError that says what to do with others */
async function openKnown(...asked: Parameters<typeof openOriginal>): Promise<OpenedModel> {
  try {
    return await openOriginal(...asked);
  } catch (error) {
    if (!(error instanceof UnsupportedError) || error.field !== "model_type") throw error;
    const { message, hint, field, value, cause } = error;
    const methods = methodsWithoutText().join(", ");
    const generic = `\`generic\` quantizes its weights without running it, by one of ${methods}`;
    throw new UnsupportedError(message, {
      hint: hint === undefined ? generic : `${hint}; ${generic}`,
      field,
      value,
      cause,
    });
  }
}

/**
 * What a whole chain needs, the time of all its stages and the memory of the largest, and what
 * speaks against it.
 */
async function withFinishers(
  { estimate, cautions: ofQuantizer }: Plan,
  opened: OpenedModel,
  recipe: Recipe,
  backend: Backend,
): Promise<Pick<Plan, "estimate" | "cautions">> {
  let { seconds, memoryBytes } = estimate;
  const cautions = [...ofQuantizer];
  for (const [index, { method }] of finishersOf(recipe).entries()) {
    const own = finisherRecipe(recipe, index, opened);
    const stage = await makePlan(opened, own, method, backend);
    seconds += stage.estimate.seconds;
    memoryBytes = Math.max(memoryBytes, stage.estimate.memoryBytes);
    cautions.push(...stage.cautions);
  }
  return { estimate: { ...estimate, seconds, memoryBytes }, cautions };
}

/**
 * Quantizes a checkpoint as a recipe says: block by block from disk to disk. The output appears
 * under its final name when it is whole. What a run that is interrupted had finished is kept beside
 * it, and the next run of the same recipe resumes with that, to the same bytes. Nothing is left of
 * a run that had not finished anything, or whose input is at fault.
 * @throws UsageError when the output is taken, or an unfinished run to it is another one
 * @throws FewbitError of the kind that fits; the input is never touched
 */
export async function runRecipe(input: RecipeInput, options: RunOptions): Promise<RunRecord> {
  const checked = parseRecipe(input);
  if (checked.parsed.generic) return runGeneric(checked, options);
  const { parsed, method, choices } = checked;
  const original = await openKnown(parsed.model, options.backend, asEvents(options));
  try {
    const recipe = settleRecipe(parsed, recipeModel(original));
    await expectTeacher(original, recipe);
    await expectImages(original, recipe.calibration);
    const { opened, notices } = await rotateModel(original, recipe, options.backend);
    if (recipe.allocation) {
      for (const message of [...choices, ...notices]) options.emit({ type: "notice", message });
      const record = await runAllocated(opened, recipe, options, runRecipe);
      options.emit({ type: "done", record });
      return record;
    }
    for (const message of [...choices, ...notices]) options.emit({ type: "notice", message });
    const record = isGgufOutput(recipe)
      ? await runToGguf(opened, recipe, method, options)
      : await runChain(opened, recipe, method, options);
    options.emit({ type: "done", record });
    return record;
  } finally {
    await original.checkpoint.close();
  }
}
