import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type TinyCheckpoint, writeTinyCheckpoint } from "../../../test/golden/tiny-checkpoint.ts";
import { createReferenceBackend } from "../../kernels/reference/index.ts";
import type { RecipeInput } from "../../recipe/recipe.ts";
import type { TokenCosts } from "../../run/machine-costs.ts";
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
const time: TokenCosts = {
  unit: "s",
  fixed: 1e-3,
  of: ({ outFeatures, inFeatures }, { grid }) =>
    outFeatures * inFeatures * { 2: 1e-9, 4: 3e-9, 8: 2e-9 }[grid.bits as 2 | 4 | 8],
};

/** What a plan's layers take, by the table. */
async function plan(allocation: RecipeInput["allocation"] & object, machine = { time }) {
  const { allocation: found, linears } = await planRecipe(recipe(allocation), backend, { machine });
  const seconds = linears.reduce(
    (sum, linear) => sum + (linear.scheme ? (time.of(linear, linear.scheme) ?? 0) : 0),
    time.fixed,
  );
  return { bits: found?.bitsPerWeight ?? 0, damage: found?.damage ?? 0, seconds };
}

test("a second budget is kept beside the size, and costs something", {
  timeout: 20_000,
}, async () => {
  const free = await plan({ targetBpw: 5.5 });
  const target = 1 / (time.fixed + 0.9 * (free.seconds - time.fixed));
  const fast = await plan({ targetBpw: 5.5, targetSpeed: target });
  expect(free.bits).toBeLessThanOrEqual(5.5);
  expect(fast.bits).toBeLessThanOrEqual(5.5);
  expect(free.seconds).toBeGreaterThan(1 / target);
  expect(fast.seconds).toBeLessThanOrEqual(1 / target);
  expect(fast.damage).toBeGreaterThan(free.damage);
});

test("targets that exclude each other, and schemes without a cost, are refused", async () => {
  await expect(plan({ targetBpw: 5.5, targetSpeed: 1e9 })).rejects.toThrow(
    /keeps all targets at once/,
  );
  await expect(plan({ targetBpw: 5.5, targetSpeed: 10, targetEnergy: 1 })).rejects.toThrow(
    /not two/,
  );
  await expect(plan({ targetBpw: 5.5, targetEnergy: 1 })).rejects.toThrow(/nothing was measured/);
  const unknown = { time: { ...time, of: () => null } };
  await expect(plan({ targetBpw: 5.5, targetSpeed: 1 }, unknown)).rejects.toThrow(
    /was not measured/,
  );
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
