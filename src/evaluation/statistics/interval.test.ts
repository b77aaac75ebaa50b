import { describe, expect, it } from "vitest";
import { halfWidth, mapInterval } from "./interval.ts";

describe("mapInterval", () => {
  it("keeps low below high under a falling function", () => {
    const mapped = mapInterval({ low: 1, high: 2, level: 0.95 }, (x) => -x);
    expect(mapped).toEqual({ low: -2, high: -1, level: 0.95 });
    expect(halfWidth(mapped)).toBe(0.5);
  });
});
