import { z } from "zod";
import {
  type Database,
  type DatabaseRow,
  hostDigits,
  isProcessAlive,
  processId,
  processMark,
  randomSuffix,
} from "../../platform/node.ts";
import { FormatError } from "../../util/errors.ts";
import { parseJson } from "../../util/json.ts";
import { parseValue } from "../../util/parse-value.ts";
import type { PointWork } from "../recipe/expanded-point.ts";
import type { Claim, Failure, Finished, PointCounts, PointQueue, Worker } from "./point-queue.ts";
import { pointOf, writeDocument } from "../results/read-records.ts";

/** A point during which this many processes have died is not retried automatically. */
const mostCrashes = 4;

/** Leases for a process known to be alive: its timers wait while a long op blocks it. */
const patience = 10;

/** Columns that say who works on a point. */
const nobody = "owner = NULL, token = NULL, lease_until = NULL";

/**
 * The queue of a sweep in its results database: each call is one transaction. A claim belongs to a
 * process (host, id and start of the process), so that the death of one on this machine is noticed
 * at once, elsewhere when its lease runs out. A process on this machine that is alive has ten
 * leases.
 */
export class DatabaseQueue implements PointQueue {
  readonly leaseMs = 120_000;
  private readonly database: Database;
  private readonly points: ReadonlySet<string>;
  private readonly owner: string = `${hostDigits()} ${processId()} ${processMark(processId())}`;

  /** `points`: ids of the recipe's points; those that somebody added are not for this worker. */
  constructor(database: Database, points: ReadonlySet<string>) {
    this.database = database;
    this.points = points;
  }

  async claim(worker: Worker, preferredModel: string | null): Promise<Claim | null> {
    const { database } = this;
    return database.transaction(() => {
      this.takeBack();
      const [row] = database
        .rows(
          "SELECT * FROM records WHERE status = 'waiting' AND position IS NOT NULL " +
            "ORDER BY model IS NOT ?, position",
          preferredModel,
        )
        .filter(({ id }) => this.points.has(String(id)));
      if (!row) return null;
      const token = randomSuffix() + randomSuffix();
      const attempt = Number(row["attempts"]) + 1;
      database.run(
        "UPDATE records SET status = 'running', attempts = ?, owner = ?, token = ?, " +
          "lease_until = ?, fewbit = ?, machine = ?, started_at = ?, finished_at = NULL, " +
          "error_code = NULL, error_message = NULL, error_hint = NULL WHERE id = ?",
        attempt,
        this.owner,
        token,
        Date.now() + this.leaseMs,
        worker.fewbit,
        JSON.stringify(worker.machine),
        now(),
        row["id"],
      );
      return { point: pointOf(row), work: workOf(row), attempt, token };
    });
  }

  async renew({ point, token }: Claim): Promise<boolean> {
    const until = Date.now() + this.leaseMs;
    return this.changeOwn("lease_until = ?", [until], point.id, token);
  }

  async complete({ point, token }: Claim, finished: Finished): Promise<boolean> {
    const { result, run, data } = finished;
    return this.changeOwn(
      `status = 'done', crashes = 0, finished_at = ?, result = ?, run = ?, data = ?, ${nobody}`,
      [now(), writeDocument(result), run && JSON.stringify(run), JSON.stringify(data)],
      point.id,
      token,
    );
  }

  async fail({ point, token }: Claim, failure: Failure, again: boolean): Promise<boolean> {
    return this.changeOwn(
      `status = ?, finished_at = ?, error_code = ?, error_message = ?, error_hint = ?, ${nobody}`,
      [again ? "waiting" : "failed", now(), failure.code, failure.message, failure.hint ?? null],
      point.id,
      token,
    );
  }

  async release({ point, token }: Claim): Promise<void> {
    this.changeOwn(`status = 'waiting', attempts = attempts - 1, ${nobody}`, [], point.id, token);
  }

  async counts(): Promise<PointCounts> {
    const counts = { waiting: 0, running: 0, done: 0, failed: 0 };
    for (const { id, status } of this.database.rows("SELECT id, status FROM records")) {
      if (this.points.has(String(id))) counts[status as keyof PointCounts]++;
    }
    return counts;
  }

  /** Whether another process is at work on a point of the sweep. */
  isBusyElsewhere(): boolean {
    return this.database
      .rows("SELECT owner, lease_until FROM records WHERE status = 'running'")
      .some((row) => row["owner"] !== this.owner && !this.isLost(row));
  }

  /** Whether any process, by any recipe, works or will work on a point. */
  isDone(): boolean {
    const open = "status = 'running' OR status = 'waiting' AND position IS NOT NULL";
    return this.database.row(`SELECT 1 FROM records WHERE ${open} LIMIT 1`) === null;
  }

  /** Makes points whose worker died, or has been silent for too long, wait again. */
  private takeBack(): void {
    const running = this.database.rows("SELECT * FROM records WHERE status = 'running'");
    for (const row of running.filter((each) => this.isLost(each))) {
      const crashes = Number(row["crashes"]) + 1;
      const given = crashes < mostCrashes;
      this.database.run(
        `UPDATE records SET status = ?, crashes = ?, error_code = ?, error_message = ?,
         error_hint = ?, ${nobody} WHERE id = ?`,
        given ? "waiting" : "failed",
        crashes,
        given ? null : "CRASHED",
        given ? null : `the process ended ${crashes} times while it worked on this point`,
        given ? null : "it may need more memory than there is; failed points can be tried again",
        row["id"],
      );
    }
  }

  /** Whether the process that claimed a point will not complete it. */
  private isLost(row: DatabaseRow): boolean {
    const late = Date.now() - Number(row["lease_until"]);
    const [host, id, mark] = String(row["owner"]).split(" ");
    if (host !== hostDigits()) return late > 0;
    return late > (patience - 1) * this.leaseMs || !isProcessAlive(Number(id), mark);
  }

  private changeOwn(
    changes: string,
    values: readonly (string | number | null)[],
    id: string,
    token: string,
  ): boolean {
    const own = "id = ? AND token = ? AND status = 'running'";
    return (
      this.database.run(`UPDATE records SET ${changes} WHERE ${own}`, ...values, id, token) === 1
    );
  }
}

/** What a worker cannot do without, of what enrolling wrote. */
const pointWork = z.looseObject({
  model: z.string(),
  recipe: z.looseObject({}).nullable(),
  evaluation: z.looseObject({}),
});

/** @throws FormatError where somebody else wrote the row */
function workOf(row: DatabaseRow): PointWork {
  const where = `the work of the point ${String(row["label"])}`;
  const hint = "start the sweep again: it writes what is to be done anew";
  const value = parseJson(String(row["work"]), where, hint);
  return parseValue(pointWork, value, ({ text }) => {
    return new FormatError(`${where}: ${text}`, { hint });
  }) as unknown as PointWork;
}

function now(): string {
  return new Date().toISOString();
}
