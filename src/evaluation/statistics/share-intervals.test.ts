import { describe, expect, it } from "vitest";
import { halfWidth, type Interval } from "./interval.ts";
import { meanShareInterval } from "./share-intervals.ts";

const answers = (right: number, items: number): Uint8Array =>
  Uint8Array.from({ length: items }, (_, index) => (index < right ? 1 : 0));
const intervalOf = (...tasks: readonly Uint8Array[]): Interval =>
  meanShareInterval(tasks) ?? { low: Number.NaN, high: Number.NaN, level: 0 };

describe("meanShareInterval", () => {
  it("is about Wilson's for one task", () => {
    const few = intervalOf(answers(30, 40));
    expect(Math.abs(few.low - 0.5981)).toBeLessThan(0.03);
    expect(Math.abs(few.high - 0.8581)).toBeLessThan(0.06);
    const many = intervalOf(answers(300, 400));
    expect(Math.abs(many.low - 0.7054)).toBeLessThan(0.005);
    expect(Math.abs(many.high - 0.79)).toBeLessThan(0.005);
  });

  it("stays within 0 and 1, and has a width where all answers are right", () => {
    const all = intervalOf(answers(20, 20));
    expect(all.high).toBe(1);
    expect(all.low).toBeLessThanOrEqual(0.9);
    expect(all.low).toBeGreaterThan(0.8);
    const none = intervalOf(answers(0, 20));
    expect(none.low).toBe(0);
    expect(none.high).toBeCloseTo(1 - all.low, 2);
  });

  it("narrows with the square root of the number of tasks", () => {
    const one = halfWidth(intervalOf(answers(60, 120)));
    const four = halfWidth(intervalOf(...[1, 2, 3, 4].map(() => answers(60, 120))));
    expect(four / one).toBeCloseTo(0.5, 1);
  });

  it("is none for a single item", () => {
    expect(meanShareInterval([answers(1, 1)])).toBeNull();
    expect(meanShareInterval([])).toBeNull();
  });
});
