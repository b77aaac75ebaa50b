import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { lawfulTable } from "../../../test/fixtures/lawful-machine.ts";
import { type TinyCheckpoint, writeTinyCheckpoint } from "../../../test/golden/tiny-checkpoint.ts";
import { createReferenceBackend } from "../../kernels/reference/index.ts";
import { usualContext } from "../../machines/consequences.ts";
import { shapeOf } from "../../machines/model-shape.ts";
import { predictSpeeds } from "../../machines/predict-speed.ts";
import { readModelConfig } from "../../models/index.ts";
import type { RecipeInput } from "../../recipe/recipe.ts";
import { planRecipe } from "../quantize.ts";

const backend = createReferenceBackend();
let folder = "";
let tiny: TinyCheckpoint;
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "fewbit-allocate-"));
  tiny = await writeTinyCheckpoint({ modelCase: "llama" });
  writeFileSync(
    join(folder, "text.txt"),
    "It was a dark night, and no one said a word. ".repeat(20),
  );
});
afterAll(async () => {
  await tiny.remove();
  rmSync(folder, { recursive: true });
});

const recipe = (allocation: RecipeInput["allocation"] & object): RecipeInput => ({
  model: tiny.path,
  method: "rtn",
  out: join(folder, "out"),
  calibration: { files: [{ path: join(folder, "text.txt") }], samples: 2, window: 16 },
  allocation: {
    choices: ["w2", "w4", "w8"],
    samples: 2,
    compareUniform: false,
    stateFile: join(folder, "state.json"),
    ...allocation,
  },
});

/** A machine on which four bits are slower than two and eight, as packings may be. */
const factors: Readonly<Record<string, number>> = { bf16: 9e-9, w2: 1e-9, w4: 3e-9, w8: 2e-9 };

function machineFile(name: string, own: Readonly<Record<string, number>>): string {
  const path = join(folder, name);
  writeFileSync(path, JSON.stringify(lawfulTable(own)));
  return path;
}

/** What a plan's layers take, by the table. */
async function plan(allocation: RecipeInput["allocation"] & object) {
  const machine = machineFile("machine.json", factors);
  const asked = recipe({ machine, ...allocation });
  const { allocation: found, linears } = await planRecipe(asked, backend);
  const seconds = linears.map(({ scheme, outFeatures, inFeatures }) => {
    return outFeatures * inFeatures * factors[scheme?.id ?? "bf16"];
  });
  const { tokensPerSecond = 0, joulesPerToken = 0 } = found?.predicted ?? {};
  return {
    bits: found?.bitsPerWeight ?? 0,
    damage: found?.damage ?? 0,
    speed: tokensPerSecond,
    joules: joulesPerToken,
    /** Of the linear layers. */
    seconds: seconds.reduce((sum, each) => sum + each, 0),
  };
}

test("a second budget is kept beside the size, and costs something", {
  timeout: 20_000,
}, async () => {
  const free = await plan({ targetBpw: 5.5 });
  const targetSpeed = 1 / (1 / free.speed - 0.1 * free.seconds);
  const fast = await plan({ targetBpw: 5.5, targetSpeed });
  expect(free.bits).toBeLessThanOrEqual(5.5);
  expect(fast.bits).toBeLessThanOrEqual(5.5);
  expect(free.speed).toBeLessThan(targetSpeed);
  expect(fast.speed).toBeGreaterThanOrEqual(targetSpeed);
  expect(1 / fast.speed - fast.seconds).toBeCloseTo(1 / free.speed - free.seconds, 12);
  expect(fast.damage).toBeGreaterThan(free.damage);
});

test("speed or energy alone is a target, too: the best of what keeps to it", {
  timeout: 20_000,
}, async () => {
  const best = await plan({ targetSpeed: 1 });
  expect(best.bits).toBeGreaterThan(8);
  const targetEnergy = 0.9 * best.joules;
  const thrifty = await plan({ targetEnergy });
  expect(thrifty.joules).toBeLessThanOrEqual(targetEnergy);
  expect(thrifty.joules).toBeGreaterThan(0.9 * targetEnergy);
  expect(thrifty.bits).toBeLessThan(best.bits);
});

test("what no choices reach is refused with both numbers, and so is what was not timed", async () => {
  await expect(plan({ targetBpw: 5.5, targetSpeed: 1e9 })).rejects.toThrow(
    /the fastest choices make [\d.]+ tokens a second, 1000000000 tokens a second were asked for/,
  );
  await expect(plan({ targetBpw: 5.5, targetEnergy: 1e-12 })).rejects.toThrow(
    /the thriftiest choices make [\d.e-]+ joules a token, 1e-12 joules a token were asked for/,
  );
  // Eight bits are faster than four, and larger.
  const slow = machineFile("eight.json", { ...factors, w2: 3e-9, w8: 1e-9 });
  const eight = await plan({ targetSpeed: 1, machine: slow });
  const both = { targetBpw: 4, targetSpeed: eight.speed, machine: slow };
  await expect(plan(both)).rejects.toThrow(/fastest choices of this size make [\d.]+ tokens/);
  await expect(plan({ targetBpw: 5.5, targetSpeed: 10, targetEnergy: 1 })).rejects.toThrow(
    /not two/,
  );
  const { w8: _, ...few } = factors;
  const machine = machineFile("few.json", few);
  await expect(plan({ targetBpw: 5.5, targetSpeed: 1, machine })).rejects.toThrow(
    /not measured what w8 takes/,
  );
});

test("an expert costs as often as a token goes to it, as plans of what is written say", {
  timeout: 20_000,
}, async () => {
  const mixture = await writeTinyCheckpoint({ modelCase: "mixtral" });
  try {
    const machine = machineFile("machine.json", factors);
    const asked = { ...recipe({ machine, targetSpeed: 1 }), model: mixture.path };
    const { allocation, linears } = await planRecipe(asked, backend);
    const schemes = new Map(linears.map(({ module, scheme }) => [module, scheme?.id ?? null]));
    const json = JSON.parse(readFileSync(join(mixture.path, "config.json"), "utf8"));
    const chosen = shapeOf(readModelConfig(json), (module) => schemes.get(module) ?? null);
    const floats = { linear: "bf16", embedding: "bf16", head: "bf16", others: "bf16" } as const;
    const run = { storage: floats, kvCache: "f16", context: usualContext(chosen) } as const;
    const { decode } = predictSpeeds(lawfulTable(factors), chosen, run);
    expect(linears.some(({ expert }) => expert !== undefined)).toBe(true);
    expect((allocation?.predicted?.tokensPerSecond ?? 0) / decode).toBeCloseTo(1, 9);
  } finally {
    await mixture.remove();
  }
});

test.each(["divergence", "gradient", "importance"] as const)(
  "by %s, with searches and pairs where they fit",
  { timeout: 20_000 },
  async (measure) => {
    const pairs = measure === "divergence";
    const found = await plan({ targetBpw: 5, measure, pairs });
    expect(found.bits).toBeLessThanOrEqual(5);
    expect(found.bits).toBeGreaterThan(3);
  },
);
