import { readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { type QuantizeOptions, quantize } from "../../src/index.ts";
import { NumericError } from "../../src/util/errors.ts";
import { temporaryFolder } from "./shared-models.ts";

/*
 * Learning rates that are far too high, in trainings too short for the loss to show it on the way.
 */

const inFolder = temporaryFolder();
const builtin = (path: string): string =>
  fileURLToPath(new URL(`../../builtin/${path}`, import.meta.url));
const options = { learningRate: 3, steps: 2, batch: 2 };

const trained: [name: string, recipe: Pick<QuantizeOptions, "method" | "scheme" | "finishers">][] =
  [
    ["paretoq", { method: "paretoq", scheme: "w2-seq" }],
    ["bitnet", { method: "bitnet", scheme: "w1.58" }],
    [
      "onebit-kd",
      { method: "svid", scheme: "w1-onebit", finishers: [{ method: "onebit-kd", options }] },
    ],
  ];

test.each(trained)(
  "%s ends with an error, not with a model worse than it began",
  async (name, recipe) => {
    const run = quantize(builtin("model"), {
      ...recipe,
      ...(recipe.finishers ? {} : { options }),
      calibration: { files: [{ path: builtin("text/calibration.txt") }], samples: 4, window: 32 },
      out: inFolder(name),
    } as QuantizeOptions);
    await expect(run).rejects.toThrow(NumericError);
    await expect(run).rejects.toThrow(/training diverged: /);
    await expect(run).rejects.toMatchObject({ hint: expect.stringMatching(/learning rate below/) });
  },
);

test("E2E-QP keeps the model that it began with, says so and notes it", async () => {
  const calibration = {
    files: [{ path: builtin("text/calibration.txt") }],
    samples: 4,
    window: 32,
  };
  const rounded = { method: "rtn", scheme: "w2g32" } as const;
  const run = quantize(builtin("model"), {
    ...rounded,
    finishers: [{ method: "e2e-qp", options }],
    calibration,
    out: inFolder("e2e-qp"),
  });
  const notices: string[] = [];
  for await (const event of run.events) if (event.type === "notice") notices.push(event.message);
  const { record } = await run;
  expect(notices).toEqual([
    expect.stringContaining("judges its states by windows that it is trained on"),
    expect.stringMatching(/no better, and it is as it was before: the held/),
  ]);
  expect(record.finishers).toMatchObject([
    { change: 0, training: { steps: 2, keptStep: 0, setback: notices[1] } },
  ]);
  await quantize(builtin("model"), { ...rounded, out: inFolder("rounded") });
  const weights = (name: string) => readFileSync(join(inFolder(name), "model.safetensors"));
  expect(weights("e2e-qp").equals(weights("rounded"))).toBe(true);
});

test("Block-AP keeps what each block began with, says so and notes it", async () => {
  const run = quantize(builtin("model"), {
    method: "block-ap",
    scheme: "w2g32",
    options: { learningRate: 1, epochs: 1 },
    calibration: { files: [{ path: builtin("text/calibration.txt") }], samples: 16, window: 32 },
    out: inFolder("block-ap"),
  });
  const notices: string[] = [];
  for await (const event of run.events) if (event.type === "notice") notices.push(event.message);
  const { record } = await run;
  expect(notices).toHaveLength(6);
  expect(notices[0]).toMatch(/^model\.layers\.0: the values that the training began with are kept/);
  expect(record.fallbacks).toHaveLength(record.linears.length);
  for (const { figures } of record.blocks) {
    expect(figures.lossAfter).toBeGreaterThan(figures.lossBefore);
  }
});
