import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import { createReferenceBackend } from "../kernels/reference/index.ts";
import type { RecipeInput } from "../recipe/recipe.ts";
import type { Plan } from "../run/plan.ts";
import { OutOfMemoryError, UsageError } from "../util/errors.ts";
import { planRecipe } from "./quantize.ts";

const backend = createReferenceBackend();
const builtin = (path: string): string =>
  fileURLToPath(new URL(`../../builtin/${path}`, import.meta.url));

function plan(recipe: Partial<RecipeInput>): Promise<Plan> {
  const files = [{ path: builtin("text/calibration.txt") }];
  return planRecipe(
    {
      model: builtin("model"),
      out: "out",
      method: "paretoq",
      scheme: "w2-seq",
      options: { steps: 2, batch: 8 },
      calibration: { files, samples: 64, window: 256 },
      ...recipe,
    },
    backend,
  );
}

const needed = async (recipe: Partial<RecipeInput> = {}): Promise<number> =>
  (await plan(recipe)).estimate.memoryBytes;

describe("a training stays within its memory", () => {
  test("without a limit, or with one that is no hindrance, it is as asked", async () => {
    const { fit, estimate } = await plan({});
    expect(fit).toEqual({});
    const wide = await plan({ memory: `${estimate.memoryBytes}` });
    expect([wide.fit, wide.estimate.memoryBytes]).toEqual([{}, estimate.memoryBytes]);
  });

  test("by windows at once, the most that fit", async () => {
    const options = (windowsAtOnce: number) => ({ steps: 2, batch: 8, windowsAtOnce });
    const [four, two] = [
      await needed({ options: options(4) }),
      await needed({ options: options(2) }),
    ];
    expect(two).toBeLessThan(four);
    for (const [memory, windowsAtOnce] of [
      [four, 4],
      [four - 1, 2],
      [two, 2],
    ] as const) {
      const { fit, estimate, training } = await plan({ memory: `${memory}` });
      expect(fit).toEqual({ windowsAtOnce });
      expect(training?.tokensAtOnce).toBe(windowsAtOnce * 256);
      expect(estimate.memoryBytes).toBeLessThanOrEqual(memory);
    }
  });

  test("by blocks that are computed again, where one window at once is too much", async () => {
    const one = await needed({ options: { steps: 2, windowsAtOnce: 1 } });
    const again = await needed({ options: { steps: 2, windowsAtOnce: 1, recompute: true } });
    expect(again).toBeLessThan(one);
    const { fit } = await plan({ memory: `${again}` });
    expect(fit).toEqual({ windowsAtOnce: 1, recompute: true });
  });

  test("or is refused, with the least that it needs", async () => {
    const error: unknown = await plan({ memory: "20MB" }).catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(OutOfMemoryError);
    expect(error).toMatchObject({
      message: expect.stringMatching(
        /^needs about 0\.\d GB of memory at the least, and may use 20MB$/,
      ),
      hint: expect.stringContaining("`memory`"),
      field: "memory",
    });
  });
});

test("what goes block by block keeps activations on the disk", async () => {
  const gptq = { method: "gptq", scheme: "w4g64", options: {} } as const;
  const calibration = {
    files: [{ path: builtin("text/calibration.txt") }],
    samples: 4096,
    window: 256,
  };
  const inMemory = await plan({ ...gptq, calibration });
  expect(inMemory.activations?.onDisk).toBe(false);
  const memory = `${inMemory.estimate.memoryBytes - 1}`;
  const { fit, activations, estimate } = await plan({ ...gptq, calibration, memory });
  expect(fit).toEqual({ cacheOnDisk: true });
  expect(activations?.onDisk).toBe(true);
  expect(estimate.memoryBytes).toBeLessThan(inMemory.estimate.memoryBytes);
});

test.each(["4GB", "512 MB", "1.5gb", "3000000000"])("%s is a size", async (memory) => {
  await expect(plan({ memory })).resolves.toMatchObject({ methodTitle: "ParetoQ" });
});

test.each(["4 gigabytes", "-1", "GB", ""])("%j is none", async (memory) => {
  await expect(plan({ memory })).rejects.toThrow(UsageError);
});
