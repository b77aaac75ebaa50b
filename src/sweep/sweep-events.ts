import type { DownloadProgress } from "../hub/download-progress.ts";
import type { PointCounts } from "./queue/point-queue.ts";
import type { PointRecord, SweepPoint } from "./results/sweep-results.ts";

/** The estimated needs of a point. */
export interface PointEstimate {
  readonly makeSeconds: number;
  readonly measureSeconds: number;
  /** Peak memory of making it; 0 for the original. */
  readonly memoryBytes: number;
  /** Size of its checkpoint; 0 for the original. */
  readonly outputBytes: number;
  /** What speaks against it, a sentence each; left out where nothing does. */
  readonly cautions?: readonly string[];
}

/** A point as a plan shows it. */
export interface PlannedPoint {
  readonly point: SweepPoint;
  readonly status: PointRecord["status"];
  /** Null for points that are done. */
  readonly estimate: PointEstimate | null;
  readonly command: string | null;
}

/** Everything that is known of a sweep before its work. */
export interface SweepPlan {
  readonly name: string;
  /** Folder of the results, absolute. */
  readonly folder: string;
  readonly points: readonly PlannedPoint[];
  /** Points in the database that the recipe does not name any more; they stay there. */
  readonly formerPoints: number;
  /** Checkpoints stay after they were measured. */
  readonly keep: boolean;
  readonly evaluation: {
    readonly texts: readonly string[];
    readonly tasks: readonly string[];
    readonly kl: boolean;
    /** Prompts to continue. */
    readonly prompts: number;
  };
  readonly estimate: {
    /** Of what is still to be done. */
    readonly seconds: number;
    readonly memoryBytes: number;
    readonly diskBytes: number;
  };
  /** `native (AVX-512)`. */
  readonly backend: string;
  readonly threads: number;
}

/** Typed progress of a sweep. */
export type SweepEvent =
  | { readonly type: "download"; readonly progress: DownloadProgress }
  | { readonly type: "notice"; readonly message: string }
  /** Before any work. */
  | { readonly type: "plan"; readonly plan: SweepPlan }
  /** A point is begun. */
  | {
      readonly type: "begin";
      readonly point: SweepPoint;
      readonly attempt: number;
      readonly counts: PointCounts;
    }
  /** The work on a point has come so far. */
  | {
      readonly type: "progress";
      readonly point: SweepPoint;
      readonly activity: string;
      /** Share of the point's work, 0 to 1. */
      readonly fraction: number;
      readonly counts: PointCounts;
      /** Of all that is still to be done; null until there is something to estimate it from. */
      readonly remainingMs: number | null;
    }
  /** A point is done or has failed; `again` when it will be tried once more. */
  | {
      readonly type: "end";
      readonly record: PointRecord;
      readonly again: boolean;
      readonly elapsedMs: number;
      readonly counts: PointCounts;
      readonly remainingMs: number | null;
    }
  /** Other processes work on the last points. */
  | { readonly type: "waiting"; readonly counts: PointCounts };
