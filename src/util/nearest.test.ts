import { describe, expect, it } from "vitest";
import { nearestName } from "./nearest.ts";

describe("nearestName", () => {
  const fields = ["method", "scheme", "models", "calibration", "second-half"];

  it.each([
    ["shceme", "scheme"],
    ["Method", "method"],
    ["model", "models"],
    ["calibraton", "calibration"],
    ["cal", "calibration"],
    ["second", "second-half"],
  ])("finds for %s what was meant: %s", (name, meant) => {
    expect(nearestName(name, fields)).toBe(meant);
  });

  it("finds nothing for a name that is like none", () => {
    expect(nearestName("temperature", fields)).toBeNull();
    expect(nearestName("mod", ["models", "modalities"])).toBeNull();
    expect(nearestName("nf", ["int", "sym"])).toBeNull();
    expect(nearestName("x", ["y"])).toBeNull();
    expect(nearestName("x", [])).toBeNull();
  });
});
