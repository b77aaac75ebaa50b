import type { Backend } from "../../backend/backend.ts";
import { quantizeWeights } from "../../blocks/quantize-weights.ts";
import type { ResolveOptions } from "../../hub/resolve-model.ts";
import { type CheckedRecipe, settleRecipe } from "../../recipe/parse-recipe.ts";
import { expectMemory } from "../../run/expect-memory.ts";
import { identifyRun } from "../../run/identity.ts";
import { asEvents } from "../../run/open-original.ts";
import type { Plan } from "../../run/plan.ts";
import { Quantization } from "../../run/quantization.ts";
import type { CheckpointJob, RunOptions } from "../../run/quantization-job.ts";
import { runInFolder } from "../../run/run.ts";
import type { RunRecord } from "../../run/run-record.ts";
import { SourceFiles } from "../../run/source-files.ts";
import { measureGenericAt } from "../../runtime/generic-checkpoint.ts";
import { makeGenericPlan } from "./make-generic-plan.ts";
import { type OpenedGeneric, openGeneric } from "./open-generic.ts";

/** Nothing is known of a model but its tensors. */
const unknownModel = { contextLength: 0, tiedEmbeddings: false };

/** Says what a recipe with `generic` would do. @throws as `runGeneric` does before work */
export async function planGeneric(
  { parsed, method, choices }: CheckedRecipe,
  backend: Backend,
  options: ResolveOptions,
): Promise<Plan> {
  const opened = await openGeneric(parsed.model, options);
  try {
    const plan = await makeGenericPlan(opened, settleRecipe(parsed, unknownModel), method, backend);
    return { ...plan, cautions: [...new Set([...choices, ...plan.cautions])] };
  } finally {
    await opened.checkpoint.close();
  }
}

/**
 * Quantizes the tensors of a checkpoint that look like linear layers, one at a time, and carries all
 * else over byte for byte. It resumes and fails as every quantization does.
 * @throws UsageError when the output is taken, or there is nothing to quantize
 * @throws FewbitError of the kind that fits; the input is never touched
 */
export async function runGeneric(
  { parsed, method, choices }: CheckedRecipe,
  options: RunOptions,
): Promise<RunRecord> {
  const { backend, emit } = options;
  const opened = await openGeneric(parsed.model, asEvents(options));
  try {
    const recipe = settleRecipe(parsed, unknownModel);
    for (const message of choices) emit({ type: "notice", message });
    const plan = await makeGenericPlan(opened, recipe, method, backend);
    const sources = { models: new SourceFiles(), texts: new SourceFiles() };
    await sources.models.addCheckpoint(opened.checkpoint);
    const identity = await identifyRun(opened.checkpoint, recipe, backend);
    const measure = measureGenericAt;
    const job = { opened, recipe, method, plan, identity, sources, options, measure };
    const record = await runJob(opened, job);
    emit({ type: "done", record });
    return record;
  } finally {
    await opened.checkpoint.close();
  }
}

function runJob({ directory }: OpenedGeneric, job: CheckpointJob): Promise<RunRecord> {
  const { plan, recipe, identity, sources, options } = job;
  const { overwrite = false, resume = "auto", emit } = options;
  const start = {
    out: recipe.out,
    identity,
    overwrite,
    resume,
    inputs: [directory],
    needBytes: async () => plan.estimate.outputBytes,
    sources: sources.models,
    keepsWorkAtFault: false,
    onSettled: (message: string) => emit({ type: "notice", message }),
  };
  return runInFolder(start, async (run) => {
    emit({ type: "plan", plan });
    for (const message of plan.cautions) emit({ type: "notice", message });
    const less = "leave the largest weights as they are (`ignore`)";
    expectMemory(plan.estimate.memoryBytes, less, recipe.memory);
    return quantizeWeights(new Quantization(job, run));
  });
}
