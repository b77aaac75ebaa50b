import { afterAll, beforeAll, expect, test } from "vitest";
import { type TinyCheckpoint, writeTinyCheckpoint } from "../../../test/golden/tiny-checkpoint.ts";
import { createReferenceBackend } from "../../kernels/reference/index.ts";
import { generateText } from "../generate.ts";
import type { LanguageModel } from "../language-model.ts";
import { load } from "../load.ts";
import { Engine } from "./engine.ts";

let checkpoint: TinyCheckpoint;
let model: LanguageModel;

beforeAll(async () => {
  checkpoint = await writeTinyCheckpoint();
  model = await load(checkpoint.path, { backend: createReferenceBackend() });
});
afterAll(() => checkpoint.remove());

test("a request gives the tokens that `generate` gives", async () => {
  const prompt = [0, 10, 20, 30];
  const engine = new Engine(model);
  const tokens: number[] = [];
  const stream = engine.submit({ prompt, maxTokens: 12, ignoreEos: true });
  for await (const { token } of stream) tokens.push(token);
  const expected = await generateText(model, { prompt, maxTokens: 12, ignoreEos: true });
  expect(tokens).toEqual(expected.tokens);
  await engine.close();
});
