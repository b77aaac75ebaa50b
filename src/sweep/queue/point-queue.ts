import type {
  CheckpointRecord,
  PointRecord,
  PointResult,
  SweepPoint,
} from "../results/sweep-results.ts";
import type { PointWork } from "../recipe/expanded-point.ts";
import type { MachineDescription } from "../../platform/node.ts";

/** A point that somebody is to work on. */
export interface Claim {
  readonly point: SweepPoint;
  readonly work: PointWork;
  /** How often the point was begun, this time included. */
  readonly attempt: number;
  /** Stands for this claim alone: what is done under a claim that was lost does not count. */
  readonly token: string;
}

/** Data that a point was made of or measured on. */
export interface DataHash {
  readonly role: "calibration" | "text" | "task" | "prompts";
  readonly name: string;
  readonly sha256: string;
}

/** The outcome of a point that succeeded. */
export interface Finished {
  readonly result: PointResult;
  readonly run: CheckpointRecord | null;
  readonly data: readonly DataHash[];
}

/** Why a point failed. */
export interface Failure {
  readonly code: string;
  readonly message: string;
  readonly hint?: string;
}

/** Who works: written into the record of each point that it begins. */
export interface Worker {
  readonly fewbit: string;
  readonly machine: MachineDescription;
}

/** How many points there are of each kind. */
export type PointCounts = Readonly<Record<PointRecord["status"], number>>;

/**
 * The points of a recipe, handed out one by one to workers.
 *
 * A worker claims a point, renews the claim while it works, and completes, fails or releases it. A
 * claim has a lease: when it runs out, or its owner is known to be dead, the point is waiting again
 * and another worker may claim it; the first one's token is void from then on, and `renew`,
 * `complete` and `fail` return false for it. So each point is completed by exactly one claim,
 * whichever process dies at whatever time.
 *
 * All calls must be atomic among all workers. The implementation that comes with fewbit keeps the
 * queue in the results database, for processes that see one disk. One for many machines needs the
 * same six calls over a network: results and points are plain JSON, and `PointWork` names files
 * that each machine must have under the same paths.
 */
export interface PointQueue {
  /** How long a claim holds without being renewed, in milliseconds. */
  readonly leaseMs: number;
  /** Takes the next waiting point, one of `preferredModel` first; null when none is waiting. */
  claim(worker: Worker, preferredModel: string | null): Promise<Claim | null>;
  /** Extends the lease of a claim; false when it is lost. */
  renew(claim: Claim): Promise<boolean>;
  /** Records the result of a claim, durably; false, and nothing recorded, if it is lost. */
  complete(claim: Claim, finished: Finished): Promise<boolean>;
  /** Records why a claim failed; with `again` the point waits again. False if it is lost. */
  fail(claim: Claim, failure: Failure, again: boolean): Promise<boolean>;
  /** Releases a claim as if it had not been made: its worker was asked to stop. */
  release(claim: Claim): Promise<void>;
  counts(): Promise<PointCounts>;
}
