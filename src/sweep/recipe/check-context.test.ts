import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { UsageError } from "../../util/errors.ts";
import { checkContext } from "./check-context.ts";
import { sweepRecipeSchema } from "./sweep-recipe.ts";

const directory = fileURLToPath(new URL("../../../builtin/model", import.meta.url));

/** Checks an evaluation against the built-in model, whose context is 256. */
async function check(evaluation: object): Promise<void> {
  const { evaluation: parsed } = sweepRecipeSchema.parse({
    name: "test",
    models: [{ id: "builtin", path: directory }],
    variants: [{ method: "rtn", scheme: "w4g32" }],
    evaluation,
  });
  const texts = parsed.texts.map((text) => (typeof text === "string" ? { file: text } : text));
  return checkContext({ ...parsed, texts }, directory);
}

test("windows beyond the context of a model are refused with their place, unless allowed", async () => {
  const texts = ["a.txt", { file: "b.txt", window: 256 }, { file: "c.txt", window: 257 }];
  await expect(check({ texts })).rejects.toThrow(UsageError);
  await expect(check({ texts })).rejects.toMatchObject({
    field: "evaluation.texts[2].window",
    message: "windows of 257 tokens are longer than the model's context of 256",
    hint: expect.stringContaining("`beyondContext`"),
  });
  await check({ texts: [{ file: "c.txt", window: 257, beyondContext: true }] });
});

test("windows with nothing to score are refused with their place", async () => {
  const texts = [{ file: "a.txt", window: 2, protocol: "second-half" }];
  await expect(check({ texts })).rejects.toMatchObject({ field: "evaluation.texts[0].window" });
  await check({ texts: [{ file: "a.txt", window: 2 }] });
});

test("prompts with what is to follow fit into the context", async () => {
  await check({ texts: ["a.txt"], samples: { prompts: ["Tom", "Anna"], tokens: 200 } });
  await expect(
    check({ texts: ["a.txt"], samples: { prompts: ["Tom", "Anna"], tokens: 256 } }),
  ).rejects.toMatchObject({ field: "evaluation.samples.prompts[0]" });
});

test("prompts to write to are there, and leave room in the context", async () => {
  await check({ generate: {} });
  await expect(check({ generate: { count: 21 } })).rejects.toMatchObject({
    field: "evaluation.generate",
    message: "expected 1 to 20 of the built-in prompts, got 21",
  });
});
