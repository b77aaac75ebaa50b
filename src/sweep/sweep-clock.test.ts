import { describe, expect, test } from "vitest";
import { SweepClock } from "./sweep-clock.ts";

/** Four points of 10 s by the plan, and a clock that the test sets. */
function makeClock(): { readonly clock: SweepClock; readonly wait: (ms: number) => void } {
  let time = 0;
  const estimate = { makeSeconds: 6, measureSeconds: 4, memoryBytes: 0, outputBytes: 0 };
  const points = new Map(["a", "b", "c", "d"].map((id) => [id, estimate] as const));
  return { clock: new SweepClock(points, () => time), wait: (ms) => (time += ms) };
}

describe("the time that a sweep still needs", () => {
  test("is that of the plan before anything is known", () => {
    const { clock } = makeClock();
    clock.begun();
    expect(clock.remainingMs("a", 0)).toBeCloseTo(40_000, 6);
  });

  test("corrects itself within the first point", () => {
    const { clock, wait } = makeClock();
    clock.begun();
    wait(15_000);
    // Half of the first point took three times as long as planned: 35 s of the plan are left.
    expect(clock.remainingMs("a", 0.5)).toBeGreaterThan(80_000);
    expect(clock.remainingMs("a", 0.5)).toBeLessThan(105_000);
  });

  test("follows from the points that are done, and not from those that failed", () => {
    const { clock, wait } = makeClock();
    clock.begun();
    wait(25_000);
    clock.finished("a", 25_000);
    const left = clock.remainingMs();
    expect(left).toBeGreaterThan(65_000);
    expect(left).toBeLessThan(75_000);
    clock.finished("b", null);
    expect(clock.remainingMs()).toBeCloseTo(((left ?? 0) * 2) / 3, 6);
  });

  test("is null where nothing is planned, and 0 at the end", () => {
    expect(new SweepClock(new Map()).remainingMs()).toBeNull();
    const { clock } = makeClock();
    for (const id of ["a", "b", "c", "d"]) clock.finished(id, 10_000);
    expect(clock.remainingMs()).toBe(0);
  });
});
