import type { Backend } from "../backend/backend.ts";
import { countPrompts } from "../evaluation/generation/open-prompts.ts";
import type { Task } from "../evaluation/tasks/task.ts";
import type { ResolveOptions } from "../hub/resolve-model.ts";
import type { Database } from "../platform/node.ts";
import { measurePace } from "../quantize/pace.ts";
import { planRecipe } from "../quantize/quantize.ts";
import type { PreparedPoint, PreparedSweep } from "./recipe/prepare-sweep.ts";
import { faultAt, placingFaults } from "./recipe/recipe-source.ts";
import { bytesPerToken, estimateTraining, tokensOfFiles } from "./estimate-training.ts";
import { inspectSizes } from "./inspect-sizes.ts";
import type { PlannedPoint, PointEstimate, SweepPlan } from "./sweep-events.ts";
import type { PointRecord } from "./results/sweep-results.ts";

/** Share of the speed of a large product that a forward pass reaches. */
const passEfficiency = 0.75;
/** What a token costs that is written, in tokens that are read together. */
const writtenToken = 5;

/** How a sweep is planned. */
export interface PlanOptions extends ResolveOptions {
  readonly folder: string;
  readonly backend: Backend;
  /** Ids of points that are done elsewhere. */
  readonly doneElsewhere: ReadonlySet<string>;
}

/**
 * Says what a sweep will do, and what it will need. Points that are done need nothing.
 * @throws UsageError with the place in the recipe when a point cannot be carried out on its model
 */
export async function planSweep(
  { source, recipe, points, tasks }: PreparedSweep,
  database: Database | null,
  { folder, backend, doneElsewhere, ...options }: PlanOptions,
): Promise<SweepPlan> {
  const flops = passEfficiency * (await measurePace(backend)).flops;
  const { evaluation } = points[0].work;
  const { generate } = evaluation;
  const prompts = generate ? await countPrompts(generate) : 0;
  const tokens = tokensOfTasks(tasks) + writtenToken * prompts * (generate?.maxTokens ?? 0);
  const planned: PlannedPoint[] = [];
  for (const each of points) {
    const { point, command } = each;
    const status = doneElsewhere.has(point.id) ? "done" : statusOf(database, point.id);
    const estimate =
      status === "done"
        ? null
        : await placingFaults(source, () =>
            estimatePoint(each, { backend, options, flops, tokens }),
          );
    planned.push({ point, status, estimate, command });
  }
  const open = planned.flatMap(({ estimate }) => estimate ?? []);
  const outputs = open.map(({ outputBytes }) => outputBytes);
  return {
    name: recipe.name,
    folder,
    points: planned,
    formerPoints: countFormer(database, points),
    keep: recipe.keep,
    evaluation: {
      texts: evaluation.texts.map(({ file }) => file),
      tasks: tasks.map(({ name }) => name),
      kl: evaluation.kl,
      prompts,
    },
    estimate: {
      seconds: open.reduce((sum, each) => sum + each.makeSeconds + each.measureSeconds, 0),
      memoryBytes: Math.max(0, ...open.map(({ memoryBytes }) => memoryBytes)),
      diskBytes: recipe.keep ? outputs.reduce((a, b) => a + b, 0) : Math.max(0, ...outputs),
    },
    backend: backend.description,
    threads: backend.threads,
  };
}

interface Estimating {
  readonly backend: Backend;
  readonly options: ResolveOptions;
  readonly flops: number;
  /** Of tasks and prompts, as if they were read together. */
  readonly tokens: number;
}

async function estimatePoint(
  { work, path }: PreparedPoint,
  { backend, options, flops, tokens: ofAll }: Estimating,
): Promise<PointEstimate> {
  try {
    const size = await inspectSizes(work.model, options);
    const { parameters, decoder } = size;
    const { evaluation, recipe, training } = work;
    let tokens = ofAll;
    for (const { file, window = decoder.contextLength, maxWindows } of evaluation.texts) {
      const all = await tokensOfFiles([file]);
      tokens += Math.min(all, maxWindows === undefined ? all : maxWindows * window);
    }
    const measureSeconds = (2 * parameters * tokens) / flops;
    if (training) {
      return { ...(await estimateTraining(training, size, { backend, flops })), measureSeconds };
    }
    if (!recipe) return { makeSeconds: 0, measureSeconds, memoryBytes: 0, outputBytes: 0 };
    const { estimate, cautions } = await planRecipe(recipe, backend, {
      ...options,
      allocates: false,
    });
    return {
      makeSeconds: estimate.seconds,
      measureSeconds,
      memoryBytes: estimate.memoryBytes,
      outputBytes: estimate.outputBytes,
      ...(cautions.length > 0 && { cautions }),
    };
  } catch (error) {
    throw faultAt(path, error);
  }
}

function tokensOfTasks(tasks: readonly Task[]): number {
  let characters = 0;
  for (const { options } of tasks.flatMap(({ items }) => items)) {
    // What the options of an item have in common is read once.
    characters += options[0]?.context.length ?? 0;
    for (const { continuation } of options) characters += continuation.length;
  }
  return characters / bytesPerToken;
}

function statusOf(database: Database | null, id: string): PointRecord["status"] {
  const row = database?.row("SELECT status FROM records WHERE id = ?", id);
  return (row?.["status"] ?? "waiting") as PointRecord["status"];
}

function countFormer(database: Database | null, points: readonly PreparedPoint[]): number {
  const ids = new Set(points.map(({ point }) => point.id));
  const rows = database?.rows("SELECT id FROM records") ?? [];
  return rows.filter(({ id }) => !ids.has(String(id))).length;
}
