import { monotonicMs } from "../platform/node.ts";
import type { PointEstimate } from "./sweep-events.ts";

/** The plan's estimates count as much as this share of them would, once it was done. */
const planShare = 0.02;

/** Tells how long a sweep still needs, from estimates and from how wrong they were so far. */
export class SweepClock {
  private readonly open: Map<string, number>;
  private readonly now: () => number;
  private readonly planSeconds: number;
  private beganMs: number;
  private estimated = 0;
  private elapsed = 0;

  constructor(estimates: ReadonlyMap<string, PointEstimate>, now: () => number = monotonicMs) {
    this.open = new Map(
      [...estimates].map(([id, each]) => [id, each.makeSeconds + each.measureSeconds]),
    );
    this.planSeconds = planShare * this.openSeconds;
    this.now = now;
    this.beganMs = now();
  }

  /** A point is begun. */
  begun(): void {
    this.beganMs = this.now();
  }

  /** A point is done; null where its time says nothing, since it failed. */
  finished(id: string, elapsedMs: number | null): void {
    const seconds = this.open.get(id);
    this.open.delete(id);
    if (elapsedMs === null || seconds === undefined) return;
    this.estimated += seconds;
    this.elapsed += elapsedMs;
  }

  /**
   * Time for all open points, one of which is done to a share since it was begun; null where the
   * plan knows of no work.
   */
  remainingMs(id?: string, share = 0): number | null {
    const current = id === undefined ? 0 : share * (this.open.get(id) ?? 0);
    const currentMs = current > 0 ? this.now() - this.beganMs : 0;
    const known = this.planSeconds + this.estimated + current;
    if (known === 0) return null;
    const took = 1000 * this.planSeconds + this.elapsed + currentMs;
    return ((this.openSeconds - current) * took) / known;
  }

  private get openSeconds(): number {
    let seconds = 0;
    for (const each of this.open.values()) seconds += each;
    return seconds;
  }
}
