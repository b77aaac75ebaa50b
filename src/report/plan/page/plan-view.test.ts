import { expect, test } from "vitest";
import { describedPlanMachines, planModel } from "../../../machines/plan-model.ts";
import { shapeOf } from "../../../machines/model-shape.ts";
import { readModelConfig } from "../../../models/index.ts";
import {
  bitChoices,
  type PlanPageData,
  planPlot,
  type PlanSettings,
  planView,
} from "./plan-view.ts";

const shape = shapeOf(
  readModelConfig({
    model_type: "llama",
    hidden_size: 512,
    intermediate_size: 1024,
    num_hidden_layers: 4,
    num_attention_heads: 8,
    vocab_size: 1000,
    tie_word_embeddings: false,
  }),
);
const machines = describedPlanMachines();
const data: PlanPageData = { shape, floats: "bf16", machines };
const settings: PlanSettings = {
  bits: 2,
  group: 64,
  embedding: 8,
  head: 4,
  kvCache: "i8",
  context: 300,
  machine: "h100",
};

test("the page's figures are those of the plan", () => {
  const choice = { embedding: "w8g64-sym", head: "w4g64", kvCache: "i8", context: 300 } as const;
  const described = { shape, packed: null, floats: "bf16" } as const;
  const plan = planModel("m", described, machines, { ...choice, schemes: ["w2g64"] });
  const view = planView(data, settings);
  const index = machines.findIndex(({ id }) => id === "h100");
  const [, variant] = plan.variants;
  expect(view.stored).toEqual(variant?.stored);
  expect(view.memory).toEqual(variant?.memory);
  expect(view.token.bytes).toBe(variant?.token.bytes);
  expect(view.token.joules).toBe(variant?.machines[index]?.joulesPerToken);
  expect(view.speeds).toEqual(variant?.machines[index]?.speeds);
  expect(view.fit.largestContext).toBe(variant?.machines[index]?.largestContext);
});

test("every choice of bits and group has figures, fewer bits are never larger", () => {
  for (const group of [32, 128, null]) {
    const sizes = bitChoices.map((bits) => planView(data, { ...settings, bits, group }).stored.all);
    expect(sizes).toEqual([...sizes].sort((a, b) => b - a));
  }
});

test("the chart has a point for each number of bits, the chosen one not faded", () => {
  const { points } = planPlot(data, settings);
  expect(points).toHaveLength(bitChoices.length);
  expect(points.filter(({ faded }) => !faded).map(({ id }) => id)).toEqual(["w2g64"]);
  for (const { x, y } of points) for (const place of [x, y]) expect(place).toSatisfy(isPlace);
});

function isPlace(place: number): boolean {
  return place >= 0 && place <= 1;
}
