import { changedTensors } from "../../blocks/scale-groups.ts";
import { plannedFileBytes } from "../../formats/checkpoint-writer.ts";
import { parseRecipe, settleRecipe } from "../../recipe/parse-recipe.ts";
import type { RecipeInput } from "../../recipe/recipe.ts";
import { outputEntries } from "../../run/output/quantized-output.ts";
import type { Plan } from "../../run/plan.ts";
import type { RunOptions } from "../../run/quantization-job.ts";
import type { OpenedModel } from "../../runtime/load.ts";
import { isGgufOutput, planGgufRun } from "../gguf-run.ts";
import { makePlan } from "../make-plan.ts";
import { recipeModel } from "../recipe-model.ts";

/** What a recipe without an allocation would do, with the size of its weight files to the byte. */
export interface SizedPlan {
  readonly plan: Plan;
  /** Of the weight files, headers included. */
  readonly sizeBytes: number;
}

/** Plans a recipe. @throws as `planRecipe` does, also where the container cannot hold a scheme */
export async function planSized(
  opened: OpenedModel,
  input: RecipeInput,
  { backend }: Pick<RunOptions, "backend">,
): Promise<SizedPlan> {
  const { parsed, method } = parseRecipe(input);
  const recipe = settleRecipe(parsed, recipeModel(opened));
  const plan = await makePlan(opened, recipe, method, backend);
  if (isGgufOutput(recipe)) {
    const sized = await planGgufRun(opened, recipe, plan, { backend, overwrite: true });
    return { plan: sized, sizeBytes: sized.estimate.outputBytes };
  }
  const { checkpoint, model } = opened;
  const entries = outputEntries(checkpoint, [...plan.linears, ...plan.ends], {
    changed: changedTensors(model, checkpoint, plan.linears, method, recipe),
    keepPacked: method.trainModel === undefined,
  });
  return { plan, sizeBytes: plannedFileBytes(entries, { format: "pt" }) };
}
