import { describe, expect, it } from "vitest";
import { halfWidth, mapInterval, wilsonInterval } from "./interval.ts";

describe("wilsonInterval", () => {
  it("is what the formula gives by hand for 8 of 10", () => {
    // center = (0.8 + 3.84146/20) / 1.384146; spread by the same formula
    const { low, high } = wilsonInterval(0.8, 10);
    expect(low).toBeCloseTo(0.4902, 4);
    expect(high).toBeCloseTo(0.9433, 4);
  });

  it("stays within 0 and 1, and has a width where all answers are right", () => {
    const all = wilsonInterval(1, 20);
    expect(all.high).toBeCloseTo(1, 12);
    expect(all.low).toBeCloseTo(0.8389, 4);
    expect(wilsonInterval(0, 20).low).toBeCloseTo(0, 12);
    expect(wilsonInterval(0, 20).high).toBeCloseTo(1 - all.low, 12);
  });
});

describe("mapInterval", () => {
  it("keeps low below high under a falling function", () => {
    const mapped = mapInterval({ low: 1, high: 2, level: 0.95 }, (x) => -x);
    expect(mapped).toEqual({ low: -2, high: -1, level: 0.95 });
    expect(halfWidth(mapped)).toBe(0.5);
  });
});
