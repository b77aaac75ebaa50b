import { expect, test } from "vitest";
import { parseScheme } from "../quant/scheme.ts";
import type { Plan, PlannedLinear } from "../run/plan.ts";
import { plainStyle } from "./style.ts";
import { formatTensorPlan } from "./tensor-plan.ts";

const up = (block: number, scheme: string | null): PlannedLinear => ({
  module: `h.${block}.mlp.up`,
  block,
  slot: "mlp.up",
  outFeatures: 96,
  inFeatures: 64,
  scheme: scheme === null ? null : parseScheme(scheme),
});

const plan = {
  linears: [up(0, "w4g32"), up(1, "w4g32"), up(2, "w8"), up(3, null)],
  ends: [{ module: "lm_head", roles: ["head"], outFeatures: 128, inFeatures: 64, scheme: null }],
  kept: [
    { name: "h.3.mlp.up.weight", shape: [96, 64], reason: "ignored" },
    { name: "h.0.norm.weight", shape: [64], reason: "vector" },
    { name: "h.0.mlp.up.bias", shape: [96], reason: "vector" },
    { name: "lm_head.weight", shape: [128, 64], reason: "head" },
    { name: "h2.5x.10.weight", shape: [8, 8], reason: "outside the blocks" },
  ],
} as unknown as Plan;

test("tensors alike but for numbers are one row, with what becomes of them", () => {
  const lines = formatTensorPlan(plan, { width: 100, style: plainStyle });
  expect(lines.map((line) => line.trim().replace(/ {2,}/g, " | "))).toEqual([
    "tensors | count | shape | weights | what becomes of them",
    "h.*.mlp.up | 2 | 96 × 64 | 12.3 k | w4g32",
    "h.*.mlp.up | 1 | 96 × 64 | 6144 | w8",
    "h.*.mlp.up.weight | 1 | 96 × 64 | 6144 | kept: ignored",
    "vectors | 2 | 160 | kept: vector",
    "lm_head.weight | 1 | 128 × 64 | 8192 | kept: head",
    "h2.5x.*.weight | 1 | 8 × 8 | 64 | kept: outside the blocks",
  ]);
});

test("a narrow table keeps what becomes of them", () => {
  const lines = formatTensorPlan(plan, { width: 48, style: plainStyle });
  for (const line of lines) expect([...line].length).toBeLessThanOrEqual(48);
  expect(lines.join("\n")).toContain("kept: head");
});
