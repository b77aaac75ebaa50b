import type { Backend } from "../backend/backend.ts";
import type { ResolveOptions } from "../hub/resolve-model.ts";
import { runChain } from "./chain.ts";
import { expectTeacher } from "./expect-teacher.ts";
import { expectDisk, makePlan } from "./make-plan.ts";
import { asEvents, openOriginal } from "./open-original.ts";
import type { Plan } from "./plan.ts";
import { finishersOf, parseRecipe, type RecipeInput, settleRecipe } from "./recipe.ts";
import type { RunOptions } from "./run-job.ts";
import type { RunRecord } from "./run-record.ts";

/** Says what a recipe would do, without doing it. @throws as `runRecipe` does before work */
export async function planRecipe(
  input: RecipeInput,
  backend: Backend,
  options: ResolveOptions = {},
): Promise<Plan> {
  const { parsed, method } = parseRecipe(input);
  const opened = await openOriginal(parsed.model, backend, options);
  try {
    const recipe = settleRecipe(parsed, opened.config.contextLength);
    await expectTeacher(opened, recipe);
    const plan = await makePlan(opened, recipe, method, backend);
    await expectDisk(plan, recipe.out);
    const titles = [plan.methodTitle, ...finishersOf(recipe).map(({ title }) => title)];
    return { ...plan, methodTitle: titles.join(" + ") };
  } finally {
    await opened.checkpoint.close();
  }
}

/**
 * Quantizes a checkpoint as a recipe says: block by block from disk to disk. The output appears under
 * its final name when it is whole. What a run that is interrupted had finished is kept beside it, and the
 * next run of the same recipe goes on with that, to the same bytes. Nothing is left of a run that had not
 * finished anything, or whose input is at fault.
 * @throws UsageError when the output is taken, or an unfinished run to it is another one
 * @throws FewbitError of the kind that fits; the input is never touched
 */
export async function runRecipe(input: RecipeInput, options: RunOptions): Promise<RunRecord> {
  const { parsed, method } = parseRecipe(input);
  const opened = await openOriginal(parsed.model, options.backend, asEvents(options));
  try {
    const recipe = settleRecipe(parsed, opened.config.contextLength);
    await expectTeacher(opened, recipe);
    const record = await runChain(opened, recipe, method, options);
    options.emit({ type: "done", record });
    return record;
  } finally {
    await opened.checkpoint.close();
  }
}
