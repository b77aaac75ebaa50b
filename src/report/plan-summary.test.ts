import { describe, expect, test } from "vitest";
import type { Plan, PlannedLinear } from "../run/plan.ts";
import { parseScheme } from "../quant/scheme.ts";
import { formatPlan } from "./plan-summary.ts";
import { plainStyle } from "./style.ts";
import { textWidth } from "./table.ts";

const linear = (slot: string, scheme: string | null): PlannedLinear => ({
  module: `model.layers.0.${slot}`,
  block: 0,
  slot,
  outFeatures: 256,
  inFeatures: 256,
  scheme: scheme === null ? null : parseScheme(scheme),
});

const plan: Plan = {
  modelName: "prose-6m",
  architecture: "Llama",
  blocks: 6,
  linears: [linear("self_attn.q_proj", "w2g64"), linear("mlp.up_proj", "w2g64")],
  ends: [],
  quantizedWeights: 4_718_592,
  parameters: 5_770_496,
  methodTitle: "GPTQ",
  cautions: [],
  schemeId: "w2g64",
  calibration: { windows: 64, window: 512 },
  training: null,
  learning: null,
  fit: {},
  activations: null,
  outputGradients: null,
  sensitivityBytes: null,
  backend: "native (AVX-512)",
  threads: 1,
  sourceBytes: 11_541_504,
  estimate: { memoryBytes: 400_000_000, outputBytes: 3_450_000, seconds: 12.3 },
};

describe("plan", () => {
  test("three lines say what will happen, how, and what it needs", () => {
    expect(formatPlan(plan, { width: 100, style: plainStyle })).toEqual([
      "  prose-6m · Llama · 6 blocks · 4.72 M weights in 2 linear layers",
      "  GPTQ → w2g64 · 64 × 512 calibration tokens · native (AVX-512) · 1 thread",
      "  needs about 400 MB memory, 8.6 to 21 s, and writes 3.45 MB",
    ]);
  });

  test("schemes of their own and layers that stay are said", () => {
    const linears = [...plan.linears, linear("mlp.down_proj", "w4g64"), linear("lm", null)];
    const lines = formatPlan({ ...plan, linears }, { width: 100, style: plainStyle });
    expect(lines[1]).toContain("GPTQ → w2g64, w4g64 (1 layer) · ");
    expect(lines.at(-1)).toBe("  1 linear layer stays as is");
  });

  test("a short time is not given in fractions of a second", () => {
    const estimate = { ...plan.estimate, seconds: 0.02 };
    const lines = formatPlan({ ...plan, estimate }, { width: 100, style: plainStyle });
    expect(lines[2]).toContain("memory, under 1 s, and");
  });

  test.each([56, 80])("at %d columns parts go to the next line whole", (width) => {
    for (const line of formatPlan(plan, { width, style: plainStyle })) {
      expect(textWidth(line)).toBeLessThanOrEqual(width);
    }
  });
});
