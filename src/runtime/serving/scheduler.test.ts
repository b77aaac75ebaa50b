import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type TinyCheckpoint, writeTinyCheckpoint } from "../../../test/golden/tiny-checkpoint.ts";
import { createReferenceBackend } from "../../kernels/reference/index.ts";
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

const small = { maxContext: 64, blockSize: 4 } as const;
const request = { prompt: [3, 14, 15], maxTokens: 2, ignoreEos: true } as const;

describe("the loop of passes", () => {
  test("an error outside of a pass ends all requests with it, and those that follow are answered", async () => {
    const engine = new Engine(model, small);
    const broken = new Error("this signal is broken");
    const signal = {
      get aborted(): boolean {
        throw broken;
      },
    } as AbortSignal;
    const failing = [
      engine.submit({ ...request, signal }).next(),
      engine.submit(request).next(),
      engine.embed(request.prompt),
    ];
    for (const result of await Promise.allSettled(failing)) {
      expect(result).toMatchObject({ status: "rejected", reason: broken });
    }
    expect(engine.stats()).toMatchObject({ queued: 0, running: 0, failedRequests: 3 });
    expect(engine.stats().kvBlocks.used).toBe(0);
    expect((await engine.submit(request).next()).done).toBe(false);
    await engine.close();
  });
});
