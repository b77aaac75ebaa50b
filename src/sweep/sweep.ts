import type { Backend } from "../backend/backend.ts";
import type { ResolveOptions } from "../hub/resolve-model.ts";
import {
  absolutePath,
  baseName,
  type Database,
  describeMachine,
  expectDatabases,
  joinPath,
  listDirectory,
  makeDirectories,
  monotonicMs,
  remove,
  sleep,
  writeText,
} from "../platform/node.ts";
import { CancelledError, comesAgain, FewbitError, throwIfCancelled } from "../util/errors.ts";
import { version } from "../util/version.ts";
import { DatabaseQueue } from "./queue/database-queue.ts";
import { enrollPoints } from "./queue/enroll-points.ts";
import { OriginalCache } from "./original-cache.ts";
import { type PlanOptions, planSweep } from "./plan-sweep.ts";
import type { Claim, Failure, PointCounts, PointQueue } from "./queue/point-queue.ts";
import { type PreparedSweep, prepareSweep } from "./recipe/prepare-sweep.ts";
import { readPoint, readRecords } from "./results/read-records.ts";
import {
  databaseName,
  hasDatabase,
  openResultsDatabase,
  readResultsDatabase,
} from "./results/results-database.ts";
import { checkpointFolder, type PointTools, runPoint } from "./run-point.ts";
import type { PointEstimate, SweepEvent, SweepPlan } from "./sweep-events.ts";
import type { SweepRecipeInput } from "./recipe/sweep-recipe.ts";
import { readResults } from "./results/read-results.ts";
import type { PointRecord, SweepResults } from "./results/sweep-results.ts";
import { SweepClock } from "./sweep-clock.ts";

/** What a sweep needs besides its recipe. */
export interface SweepRun {
  readonly backend: Backend;
  /** Folder of the results. */
  readonly out: string;
  /** URL of the module that makes checkpoints in a process of its own. */
  readonly helper: string;
  /** Try points again that failed before. */
  readonly retryFailed: boolean;
  /** Results of this sweep from elsewhere: a folder or a `results.json`. */
  readonly earlier?: string | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly emit: (event: SweepEvent) => void;
}

const waitMs = 500;
/** A shortage of memory or a busy disk may have passed by then. */
const pauseMs = 2000;
const modelsName = "models";
const cacheName = "cache";

/** Says what a sweep would do, without doing anything. @throws as `runSweep` before work */
export async function previewSweep(
  given: string | SweepRecipeInput,
  run: Omit<SweepRun, "helper" | "retryFailed" | "emit"> & ResolveOptions,
): Promise<SweepPlan> {
  const { backend, out, earlier, ...options } = run;
  const doneElsewhere = await readDone(earlier);
  const prepared = await prepareSweep(given, backend, options);
  return planIn(prepared, { ...options, folder: absolutePath(out), backend, doneElsewhere });
}

/** Reads the points that are done in results from elsewhere. @throws FormatError */
async function readDone(earlier: string | undefined): Promise<PointRecord[]> {
  if (earlier === undefined) return [];
  const { results } = await readResults(earlier);
  return results.points.filter(({ status }) => status === "done");
}

interface PlanPlace extends Omit<PlanOptions, "doneElsewhere"> {
  readonly doneElsewhere: readonly PointRecord[];
}

/** Plans with what is known in a folder; nothing is written. */
async function planIn(
  prepared: PreparedSweep,
  { doneElsewhere, ...options }: PlanPlace,
): Promise<SweepPlan> {
  const path = joinPath(options.folder, databaseName);
  const database = (await hasDatabase(path)) ? await readResultsDatabase(path) : null;
  const done = new Set(doneElsewhere.map(({ point }) => point.id));
  try {
    return await planSweep(prepared, database, { ...options, doneElsewhere: done });
  } finally {
    database?.close();
  }
}

/**
 * Runs a sweep: each point of a recipe is made and measured, and its record kept in the folder's
 * database. Points that are there are not done again, an interrupted one is resumed, and other
 * processes may work on the same folder. A point that fails is kept as failed and stops nothing.
 * @throws UsageError for a recipe that cannot be carried out, before any work
 * @throws UnsupportedError by a Node older than 22.13, which has no databases, before any work
 * @throws CancelledError when it was stopped; what is done is kept
 */
export async function runSweep(
  given: string | SweepRecipeInput,
  run: SweepRun,
): Promise<SweepResults> {
  const { backend, emit, signal } = run;
  await expectDatabases();
  const options: ResolveOptions = {
    signal,
    onNotice: (message) => emit({ type: "notice", message }),
    onDownload: (progress) => emit({ type: "download", progress }),
  };
  const doneElsewhere = await readDone(run.earlier);
  const prepared = await prepareSweep(given, backend, options);
  const folder = absolutePath(run.out);
  const plan = await planIn(prepared, { ...options, folder, backend, doneElsewhere });
  for (const name of [modelsName, cacheName]) await makeDirectories(joinPath(folder, name));
  const database = await openResultsDatabase(joinPath(folder, databaseName));
  try {
    const ids = new Set(prepared.points.map(({ point }) => point.id));
    const queue = new DatabaseQueue(database, ids);
    enrollPoints(database, {
      name: prepared.recipe.name,
      recipe: prepared.source.value,
      points: prepared.points,
      isBusy: queue.isBusyElsewhere(),
      retryFailed: run.retryFailed,
      doneElsewhere,
    });
    await writeText(
      joinPath(folder, "recipe.json"),
      `${JSON.stringify(prepared.source.value, null, 2)}\n`,
    );
    emit({ type: "plan", plan });
    await new Sweep(prepared, plan, { database, queue, folder, run }).work();
    if (queue.isDone()) await remove(joinPath(folder, cacheName));
    return readRecords(database);
  } finally {
    database.close();
  }
}

interface Workplace {
  readonly database: Database;
  readonly queue: PointQueue;
  readonly folder: string;
  readonly run: SweepRun;
}

/** A sweep at work: claims points until none is left. */
class Sweep {
  private readonly prepared: PreparedSweep;
  private readonly place: Workplace;
  private readonly originals: OriginalCache;
  private readonly clock: SweepClock;
  private readonly estimates: ReadonlyMap<string, PointEstimate>;

  constructor(prepared: PreparedSweep, plan: SweepPlan, place: Workplace) {
    this.prepared = prepared;
    this.place = place;
    this.originals = new OriginalCache({
      backend: place.run.backend,
      cache: joinPath(place.folder, cacheName),
      hashes: prepared.originals,
    });
    this.estimates = new Map(
      plan.points.flatMap(({ point, estimate }) => (estimate ? [[point.id, estimate]] : [])),
    );
    this.clock = new SweepClock(this.estimates);
  }

  async work(): Promise<void> {
    const { queue, run } = this.place;
    const worker = { fewbit: version, machine: describeMachine() };
    let model: string | null = null;
    try {
      await this.clean();
      for (;;) {
        throwIfCancelled(run.signal);
        const claim = await queue.claim(worker, model);
        if (claim) {
          model = claim.point.model;
          await this.workOn(claim);
          continue;
        }
        const counts = await queue.counts();
        if (counts.running === 0) return;
        run.emit({ type: "waiting", counts });
        await sleep(waitMs, run.signal);
      }
    } finally {
      this.originals.release();
    }
  }

  /** Does a point under a claim, and records its result. */
  private async workOn(claim: Claim): Promise<void> {
    const { queue, run, database } = this.place;
    const { point, attempt } = claim;
    const counts = await queue.counts();
    run.emit({ type: "begin", point, attempt, counts });
    const startedMs = monotonicMs();
    this.clock.begun();
    const hold = new Hold(queue, claim, run.signal);
    let again = false;
    try {
      const finished = await runPoint(claim, this.tools(claim, counts), hold.signal);
      hold.end();
      if (!(await queue.complete(claim, finished))) return this.lost(claim);
      this.clock.finished(point.id, monotonicMs() - startedMs);
    } catch (error) {
      hold.end();
      if (run.signal?.aborted) {
        await queue.release(claim);
        throw new CancelledError();
      }
      if (hold.isLost) return this.lost(claim);
      again = !comesAgain(error) && attempt <= this.prepared.recipe.retries;
      if (!(await queue.fail(claim, failureOf(error), again))) return this.lost(claim);
      // What a failure left behind must not obstruct other points.
      this.originals.release();
      if (!again) this.clock.finished(point.id, null);
      else await sleep(pauseMs, run.signal);
    }
    if (!again && !this.prepared.recipe.keep) await this.discard(claim.point);
    const record = readPoint(database, point.id);
    const after = await queue.counts();
    const elapsedMs = monotonicMs() - startedMs;
    const remainingMs = this.clock.remainingMs();
    if (record) run.emit({ type: "end", record, again, elapsedMs, counts: after, remainingMs });
  }

  private tools({ point }: Claim, counts: PointCounts): PointTools {
    const { folder, run } = this.place;
    const { tasks, hashes } = this.prepared;
    return {
      backend: run.backend,
      helper: run.helper,
      sharedFolder: joinPath(folder, cacheName),
      models: joinPath(folder, modelsName),
      tasks,
      hashes,
      originals: this.originals,
      makeShare: ({ id }) => {
        const estimate = this.estimates.get(id);
        if (!estimate) return 0.5;
        const { makeSeconds, measureSeconds } = estimate;
        return makeSeconds / Math.max(1e-9, makeSeconds + measureSeconds);
      },
      onProgress: (activity, fraction) => {
        const remainingMs = this.clock.remainingMs(point.id, fraction);
        run.emit({ type: "progress", point, activity, fraction, counts, remainingMs });
      },
      onNotice: (message) => run.emit({ type: "notice", message }),
    };
  }

  private lost({ point }: Claim): void {
    const message =
      `another process took over ${point.model} ${point.label}; what was done of ` +
      "it here does not count";
    this.place.run.emit({ type: "notice", message });
  }

  /** Removes a point's checkpoint, and what unfinished runs and stages to it left beside it. */
  private async discard(point: Claim["point"]): Promise<void> {
    const models = joinPath(this.place.folder, modelsName);
    const own = baseName(checkpointFolder(models, point));
    for (const { name } of await listDirectory(models)) {
      // Hidden folders beside it begin with a dot, those of a stage of a chain with two.
      const bare = name.replace(/^\.+/, "");
      if (bare === own || bare.startsWith(`${own}.`)) await remove(joinPath(models, name));
    }
  }

  /** Removes checkpoints of measured points that a killed process could not remove. */
  private async clean(): Promise<void> {
    if (this.prepared.recipe.keep) return;
    for (const { point, status } of readRecords(this.place.database).points) {
      if (status === "done") await this.discard(point);
    }
  }
}

/** Renews a claim while its point is worked on, and stops that work when the claim is lost. */
class Hold {
  isLost = false;
  readonly signal: AbortSignal;
  private readonly timer: ReturnType<typeof setInterval>;
  private readonly stop: () => void;
  private readonly outer: AbortSignal | undefined;

  constructor(queue: PointQueue, claim: Claim, outer: AbortSignal | undefined) {
    const controller = new AbortController();
    this.signal = controller.signal;
    this.outer = outer;
    this.stop = () => controller.abort(outer?.reason);
    outer?.addEventListener("abort", this.stop, { once: true });
    if (outer?.aborted) this.stop();
    this.timer = setInterval(() => {
      queue.renew(claim).then(
        (isOwn) => {
          if (isOwn) return;
          this.isLost = true;
          controller.abort(new CancelledError());
        },
        // A renewal that fails now may succeed the next time; the lease outlasts several.
        () => undefined,
      );
    }, queue.leaseMs / 8);
  }

  end(): void {
    clearInterval(this.timer);
    this.outer?.removeEventListener("abort", this.stop);
  }
}

function failureOf(error: unknown): Failure {
  if (error instanceof FewbitError) {
    const { code, message, hint } = error;
    return hint === undefined ? { code, message } : { code, message, hint };
  }
  return { code: "UNEXPECTED", message: error instanceof Error ? error.message : String(error) };
}
