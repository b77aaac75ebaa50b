import { expect, test } from "vitest";
import type { PlannedPoint, SweepPlan } from "../../sweep/sweep-events.ts";
import { plainStyle } from "../style.ts";
import { formatSweepPlan } from "./sweep-plan.ts";

function pointWith(label: string, cautions: readonly string[]): PlannedPoint {
  const needs = { makeSeconds: 1, measureSeconds: 1, memoryBytes: 1e6, outputBytes: 1e6 };
  const names = { method: "gptq", preset: null, scheme: "w2g64" };
  return {
    point: { id: label, model: "small", label, ...names, bits: 2, seed: 0 },
    status: "waiting",
    estimate: { ...needs, ...(cautions.length > 0 && { cautions }) },
    command: null,
  };
}

function planOf(points: readonly PlannedPoint[]): SweepPlan {
  return {
    name: "test",
    folder: "/sweep",
    points,
    formerPoints: 0,
    keep: false,
    evaluation: { texts: ["text.txt"], tasks: [], kl: false, prompts: 0 },
    estimate: { seconds: 2, memoryBytes: 1e6, diskBytes: 1e6 },
    backend: "native",
    threads: 1,
  };
}

const layout = { width: 80, style: plainStyle };

test("what speaks against points is said once, with the point or how many there are", () => {
  const few = "there is little text";
  const points = [pointWith("a", [few, "b is odd"]), pointWith("b", [few]), pointWith("c", [])];
  const lines = formatSweepPlan(planOf(points), layout);
  expect(lines.filter((line) => line.includes(few))).toEqual([`  2 points: ${few}`]);
  expect(lines.at(-1)).toBe("  a: b is odd");
});

test("a plan against which nothing speaks ends with what it needs", () => {
  expect(formatSweepPlan(planOf([pointWith("a", [])]), layout).at(-1)).toMatch(/^ {2}needs about/);
});
