import type { Database } from "../../platform/node.ts";
import { UsageError } from "../../util/errors.ts";
import type { PointWork } from "../recipe/expanded-point.ts";
import { writeDocument } from "../results/read-records.ts";
import type { PointRecord, SweepPoint } from "../results/sweep-results.ts";

/** A point with all that a database keeps of it before it is begun. */
export interface EnrolledPoint {
  readonly point: SweepPoint;
  readonly work: PointWork;
  readonly command: string | null;
}

/** A sweep as its database names it. */
export interface Enrollment {
  readonly name: string;
  /** The recipe as it was read. */
  readonly recipe: unknown;
  readonly points: readonly EnrolledPoint[];
  /** Whether another process is at work in the same database. */
  readonly isBusy: boolean;
  /** Points that failed wait again. */
  readonly retryFailed: boolean;
  /** Points that are done elsewhere. */
  readonly doneElsewhere: readonly PointRecord[];
}

/**
 * Enters the points of a recipe into a database. Points that are there are kept with their results;
 * those that the recipe does not name any more stay, without a place in the order. Results from
 * elsewhere are those of points that have none.
 * @throws UsageError when the database is of another sweep, or another process works by another
 * recipe
 */
export function enrollPoints(database: Database, enrollment: Enrollment): void {
  const { name, recipe, points, isBusy, retryFailed, doneElsewhere } = enrollment;
  database.transaction(() => {
    expectSameSweep(database, enrollment, isBusy);
    database.execute("DELETE FROM sweep");
    const now = new Date().toISOString();
    database.run("INSERT INTO sweep VALUES (1, ?, ?, ?)", name, JSON.stringify(recipe), now);
    database.execute("UPDATE records SET position = NULL");
    for (const [position, each] of points.entries()) enroll(database, position, each);
    if (retryFailed) {
      database.execute(
        "UPDATE records SET status = 'waiting', attempts = 0, crashes = 0 " +
          "WHERE status = 'failed' AND position IS NOT NULL",
      );
    }
    for (const record of doneElsewhere) takeOver(database, record);
  });
}

function takeOver(database: Database, record: PointRecord): void {
  const { point, result, run, machine, ...rest } = record;
  const taken = {
    status: "done",
    attempts: rest.attempts,
    fewbit: rest.fewbit,
    machine: machine && JSON.stringify(machine),
    started_at: rest.startedAt,
    finished_at: rest.finishedAt,
    result: writeDocument(result),
    run: run && JSON.stringify(run),
    data: "[]",
  };
  const names = Object.keys(taken).map((column) => `${column} = ?`);
  database.run(
    `UPDATE records SET ${names.join(", ")}, error_code = NULL, error_message = NULL, ` +
      "error_hint = NULL WHERE id = ? AND position IS NOT NULL AND status IN ('waiting', 'failed')",
    ...Object.values(taken),
    point.id,
  );
}

function enroll(database: Database, position: number, { point, work, command }: EnrolledPoint) {
  const { id, model, label, method, preset, scheme, bits, seed } = point;
  const described = { position, model, label, command, work: JSON.stringify(work) };
  const names = Object.keys(described).map((column) => `${column} = ?`);
  const known = database.run(
    `UPDATE records SET ${names.join(", ")} WHERE id = ?`,
    ...Object.values(described),
    id,
  );
  if (known > 0) return;
  const status = "waiting";
  const row = { id, ...described, method, preset, scheme, bits, seed, status };
  const marks = Object.keys(row).map(() => "?");
  database.run(
    `INSERT INTO records (${Object.keys(row).join(", ")}) VALUES (${marks.join(", ")})`,
    ...Object.values(row),
  );
}

function expectSameSweep(database: Database, { name, points }: Enrollment, isBusy: boolean): void {
  const before = database.row("SELECT name FROM sweep")?.["name"];
  if (before === undefined) return;
  const ids = new Set(points.map(({ point }) => point.id));
  const former = database.rows("SELECT id FROM records WHERE position IS NOT NULL");
  const lost = former.filter(({ id }) => !ids.has(String(id))).length;
  if (lost === 0) return;
  if (isBusy) {
    throw new UsageError(
      `another process works in ${database.path} by a recipe with ${lost} points that this one ` +
        "does not have",
      { hint: "wait until it is done, or use another `out`; points may be added at any time" },
    );
  }
  if (before === name) return;
  throw new UsageError(`${database.path} holds the results of "${before}", not of "${name}"`, {
    hint: "use another `out`",
  });
}
