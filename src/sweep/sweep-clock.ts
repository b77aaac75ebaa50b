import type { PointEstimate } from "./sweep-events.ts";

/** Tells how long a sweep still needs, from estimates and from how wrong they were so far. */
export class SweepClock {
  private readonly open: Map<string, number>;
  private estimated = 0;
  private elapsed = 0;

  constructor(estimates: ReadonlyMap<string, PointEstimate>) {
    this.open = new Map(
      [...estimates].map(([id, each]) => [id, each.makeSeconds + each.measureSeconds]),
    );
  }

  /** A point is done; null where its time says nothing, since it failed. */
  finished(id: string, elapsedMs: number | null): void {
    const seconds = this.open.get(id);
    this.open.delete(id);
    if (elapsedMs === null || seconds === undefined) return;
    this.estimated += seconds;
    this.elapsed += elapsedMs;
  }

  /** Time for all open points, one of which is done to a share; null until a point was finished. */
  remainingMs(id?: string, share = 0): number | null {
    if (this.estimated === 0) return null;
    let seconds = 0;
    for (const each of this.open.values()) seconds += each;
    const done = id === undefined ? 0 : share * (this.open.get(id) ?? 0);
    return ((seconds - done) * this.elapsed) / this.estimated;
  }
}
