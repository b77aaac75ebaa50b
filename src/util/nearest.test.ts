import { describe, expect, it } from "vitest";
import { nearestName } from "./nearest.ts";

describe("nearestName", () => {
  const fields = ["method", "scheme", "models", "calibration"];

  it.each([
    ["shceme", "scheme"],
    ["Method", "method"],
    ["model", "models"],
    ["calibraton", "calibration"],
  ])("finds for %s what was meant: %s", (name, meant) => {
    expect(nearestName(name, fields)).toBe(meant);
  });

  it("finds nothing for a name that is like none", () => {
    expect(nearestName("temperature", fields)).toBeNull();
    expect(nearestName("x", [])).toBeNull();
  });
});
