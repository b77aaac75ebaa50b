import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type TinyCheckpoint, writeTinyCheckpoint } from "../../../test/golden/tiny-checkpoint.ts";
import type { KvCacheDType } from "../../nn/kv-cache.ts";
import { createReferenceBackend } from "../../kernels/reference/index.ts";
import { CancelledError, UsageError } from "../../util/errors.ts";
import { generateText } from "../generate.ts";
import type { LanguageModel } from "../language-model.ts";
import { load } from "../load.ts";
import { Engine } from "./engine.ts";
import type { EngineOptions } from "./engine-options.ts";
import type { EngineFinish, EngineRequest, EngineToken, EngineTokens } from "./engine-request.ts";
import { EngineClosedError, QueueFullError, QueueTimeoutError } from "./serving-errors.ts";

let checkpoint: TinyCheckpoint;
let model: LanguageModel;

const backend = createReferenceBackend();
beforeAll(async () => {
  checkpoint = await writeTinyCheckpoint();
  model = await load(checkpoint.path, { backend });
});
afterAll(() => checkpoint.remove());

interface Answer extends EngineFinish {
  readonly all: readonly EngineToken[];
  readonly tokens: readonly number[];
}

async function readAll(stream: EngineTokens): Promise<Answer> {
  const all: EngineToken[] = [];
  for (;;) {
    const next = await stream.next();
    if (next.done) return { ...next.value, all, tokens: all.map(({ token }) => token) };
    all.push(next.value);
  }
}

const small = { maxContext: 64, blockSize: 4 } as const;

/** Runs requests at once in an engine of their own, and expects all its blocks back. */
async function runAll(
  requests: readonly EngineRequest[],
  options: EngineOptions = {},
): Promise<{ readonly answers: Answer[]; readonly stats: ReturnType<Engine["stats"]> }> {
  const engine = new Engine(model, { ...small, ...options });
  const answers = await Promise.all(requests.map((request) => readAll(engine.submit(request))));
  const stats = engine.stats();
  expect(stats.kvBlocks.used).toBe(0);
  await engine.close();
  return { answers, stats };
}

const textOf = (start: number, length: number): number[] =>
  Array.from({ length }, (_, i) => 3 + ((start * 7 + i * i + 11 * i) % 50));

const requests: readonly EngineRequest[] = [
  { prompt: textOf(1, 3), maxTokens: 20, ignoreEos: true, logprobs: 3 },
  { prompt: textOf(2, 30), maxTokens: 9, ignoreEos: true, logprobs: 0 },
  {
    prompt: textOf(3, 17),
    maxTokens: 25,
    ignoreEos: true,
    sampling: { temperature: 1.2 },
    seed: 5,
  },
  { prompt: textOf(4, 1), maxTokens: 30, ignoreEos: true, sampling: { repetitionPenalty: 1.3 } },
  { prompt: textOf(5, 12), maxTokens: 1, ignoreEos: true },
];

const lone = new Map<KvCacheDType, (readonly EngineToken[])[]>();

/** What each of them gets alone, with all of its numbers. */
async function alone(kvCache: KvCacheDType = "f16"): Promise<(readonly EngineToken[])[]> {
  const known = lone.get(kvCache);
  if (known) return known;
  const answers: (readonly EngineToken[])[] = [];
  for (const request of requests) {
    answers.push((await runAll([request], { kvCache })).answers[0].all);
  }
  lone.set(kvCache, answers);
  return answers;
}

describe("a request", () => {
  test("gives the tokens that `generate` gives", async () => {
    const [{ prompt, maxTokens }] = requests;
    const { answers } = await runAll([{ prompt, maxTokens, ignoreEos: true }]);
    const options = { prompt, maxTokens, ignoreEos: true, products: "exact" } as const;
    expect(answers[0].tokens).toEqual((await generateText(model, options)).tokens);
    expect(answers[0]).toMatchObject({ finishReason: "length", usage: { generatedTokens: 20 } });
  });

  test.each([
    ["beside others", {}],
    ["beside others, prompts in pieces", { stepTokens: 5, prefillBeside: 2 }],
    ["two at a time", { maxRunning: 2, prefillBeside: 7 }],
    ["without room for all, so that some are computed again", { cacheTokens: 64 }],
    ["with an int8 cache", { kvCache: "i8" }],
    ["with guesses that are looked up", { speculation: { mostRunning: 9 } }],
  ] as const)(
    "gets every token and logprob, to the bit, that it gets alone: %s",
    async (_, options) => {
      const { kvCache } = options as EngineOptions;
      const { answers, stats } = await runAll(requests, options);
      expect(answers.map(({ all }) => all)).toEqual(await alone(kvCache));
      if ("cacheTokens" in options) expect(stats.preemptions).toBeGreaterThan(0);
      if ("speculation" in options) expect(stats.acceptedTokens).toBeGreaterThan(0);
    },
  );

  test("is refused before anything is done when it cannot be run", async () => {
    const engine = new Engine(model, small);
    const ask = (request: Partial<EngineRequest>) => () =>
      engine.submit({ prompt: [3], maxTokens: 4, ...request });
    expect(ask({ prompt: [] })).toThrow(UsageError);
    expect(ask({ prompt: [999999] })).toThrow(/not in the vocabulary/);
    expect(ask({ maxTokens: 64 })).toThrow(/exceed the context of 64/);
    expect(ask({ maxTokens: -1 })).toThrow(/`maxTokens`/);
    expect(ask({ sampling: { topP: 2 } })).toThrow(/top-p/);
    expect(ask({ sampling: { logitBias: new Map([[-4, 1]]) } })).toThrow(/`logitBias`/);
    expect(engine.stats()).toMatchObject({ queued: 0, running: 0 });
    await engine.close();
  });

  test("may have biases, penalties and a constraint", async () => {
    const prompt = textOf(1, 3);
    const words = Math.ceil(model.config.vocabularySize / 32);
    const allowed = new Uint32Array(words);
    for (const id of [7, 9, 11]) allowed[id >> 5] |= 1 << (id & 31);
    const accepted: number[] = [];
    const constraint = {
      mask: () => allowed,
      accept: (token: number) => void accepted.push(token),
      isFinished: () => accepted.length === 5,
    };
    const { answers } = await runAll([
      { prompt, maxTokens: 9, ignoreEos: true, constraint },
      { prompt, maxTokens: 4, ignoreEos: true, sampling: { logitBias: new Map([[8, 1000]]) } },
      { prompt, maxTokens: 40, ignoreEos: true, sampling: { frequencyPenalty: 1000 } },
    ]);
    expect(answers[0].tokens).toEqual(accepted);
    expect(answers[0]).toMatchObject({ finishReason: "eos", usage: { generatedTokens: 5 } });
    for (const token of accepted) expect([7, 9, 11]).toContain(token);
    expect(answers[1].tokens).toEqual([8, 8, 8, 8]);
    expect(new Set(answers[2].tokens).size).toBe(40);
  });

  test.each([0, 1])("fails alone when no token may come next: %d", async (temperature) => {
    const mask = () => new Uint32Array(Math.ceil(model.config.vocabularySize / 32));
    const nothing = { mask, accept: () => undefined, isFinished: () => false };
    const engine = new Engine(model, small);
    const bad = readAll(
      engine.submit({
        prompt: [3, 4],
        maxTokens: 5,
        constraint: nothing,
        sampling: { temperature },
      }),
    );
    const good = readAll(engine.submit(requests[0]));
    await expect(bad).rejects.toThrow(UsageError);
    expect((await good).all).toEqual((await alone())[0]);
    expect(engine.stats()).toMatchObject({ failedRequests: 1, finishedRequests: 1 });
    await engine.close();
  });

  test("has logprobs of its prompt where it asks for them, and no token if it wants none", async () => {
    const prompt = textOf(2, 11);
    const echo = { prompt, maxTokens: 0, logprobs: 1, echoLogprobs: true };
    const second = { ...echo, maxTokens: 2, ignoreEos: true };
    const { answers } = await runAll([echo, second], { kvCache: "f32" });
    const [{ promptLogprobs = [], tokens }, continued] = answers;
    expect(tokens).toEqual([]);
    expect(continued.promptLogprobs).toEqual(promptLogprobs);
    expect(promptLogprobs).toHaveLength(prompt.length);
    expect(promptLogprobs[0]).toBeNull();
    const { hiddenSize, vocabularySize } = model.config;
    const hidden = model.hiddenStates(model.tokens([prompt])).reshape([prompt.length, hiddenSize]);
    const logits = await model.logits(hidden).read();
    for (const [i, known] of promptLogprobs.entries()) {
      if (i === 0) continue;
      const row = logits.subarray((i - 1) * vocabularySize, i * vocabularySize);
      const total = Math.log(row.reduce((sum, x) => sum + Math.exp(x), 0));
      expect(known?.token).toBe(prompt[i]);
      expect(known?.logprob).toBeCloseTo(row[prompt[i]] - total, 3);
      expect(known?.top[0].logprob).toBeCloseTo(Math.max(...row) - total, 3);
    }
  });
});

describe("common beginnings", () => {
  test("are computed once, and change nothing", async () => {
    const system = textOf(9, 18);
    const turns = [textOf(1, 3), textOf(2, 5)].map((more) => [...system, ...more]);
    const ask = (prompt: readonly number[]) => ({ prompt, maxTokens: 6, ignoreEos: true });
    const engine = new Engine(model, small);
    const first = await readAll(engine.submit(ask(turns[0])));
    const second = await readAll(engine.submit(ask(turns[1])));
    const next = [...turns[0], ...first.tokens, 5, 6];
    const third = await readAll(engine.submit(ask(next)));
    expect(first.usage.cachedTokens).toBe(0);
    // Whole blocks of 4 tokens: 16 of the 18 that are common, then all that was computed.
    expect(second.usage.cachedTokens).toBe(16);
    expect(third.usage.cachedTokens).toBe(24);
    const lone = await runAll([ask(turns[1])]);
    expect(second.tokens).toEqual(lone.answers[0].tokens);
    expect(third.tokens).toEqual((await runAll([ask(next)])).answers[0].tokens);
    expect(engine.stats()).toMatchObject({ cachedTokens: 40, kvBlocks: { used: 0 } });
    await engine.close();
  });

  test("may be evicted, the longest unused first, or not be kept at all", async () => {
    const ask = (start: number) => ({ prompt: textOf(start, 40), maxTokens: 2, ignoreEos: true });
    const cached = async (options: EngineOptions, starts: readonly number[]) => {
      const engine = new Engine(model, { ...small, ...options });
      const counts: number[] = [];
      for (const start of starts) {
        counts.push((await readAll(engine.submit(ask(start)))).usage.cachedTokens);
      }
      await engine.close();
      return counts;
    };
    expect(await cached({ cacheTokens: 256 }, [1, 2, 3, 1])).toEqual([0, 0, 0, 36]);
    const tight = await cached({ cacheTokens: 64 }, [1, 2, 3, 1, 1]);
    expect(tight).toEqual([0, 0, 0, 0, 36]);
    expect(await cached({ prefixCache: false }, [1, 1])).toEqual([0, 0]);
  });
});

describe("passes", () => {
  test("give a short prompt its tokens while a long one is read", async () => {
    const engine = new Engine(model, { ...small, stepTokens: 8, prefillBeside: 4 });
    const long = engine.submit({ prompt: textOf(1, 60), maxTokens: 1, ignoreEos: true });
    const short = engine.submit({ prompt: textOf(2, 4), maxTokens: 8, ignoreEos: true });
    let longIsDone = false;
    const longRead = readAll(long).then(() => (longIsDone = true));
    await readAll(short);
    expect(longIsDone).toBe(false);
    // The prompt of 4 in the first pass, then 7 tokens: nothing waited for the 60.
    expect(engine.stats().steps).toBeLessThanOrEqual(9);
    await longRead;
    // 4 + 7 · 4 tokens of the long prompt were read beside the short one, the rest by eights.
    expect(engine.stats().steps).toBeLessThanOrEqual(13);
    await engine.close();
  });

  test("go on for others when a reader stops reading, or leaves", async () => {
    const engine = new Engine(model, small);
    const slow = engine.submit(requests[0]);
    const leaving = engine.submit({ prompt: textOf(7, 5), maxTokens: 50, ignoreEos: true });
    await leaving.next();
    const controller = new AbortController();
    const aborted = engine.submit({
      prompt: textOf(8, 5),
      maxTokens: 50,
      ignoreEos: true,
      signal: controller.signal,
    });
    await aborted.next();
    await leaving.return({} as EngineFinish);
    controller.abort();
    const quick = await readAll(engine.submit(requests[1]));
    const lone = await alone();
    expect(quick.all).toEqual(lone[1]);
    await expect(readAll(aborted)).rejects.toThrow(CancelledError);
    expect((await readAll(slow)).all).toEqual(lone[0]);
    expect(engine.stats()).toMatchObject({ cancelledRequests: 2, kvBlocks: { used: 0 } });
    await engine.close();
  });

  test("have room for so many requests, and so many more may wait", async () => {
    const engine = new Engine(model, { ...small, maxRunning: 1, maxQueued: 2 });
    const streams = [0, 1, 2].map((i) => engine.submit(requests[i]));
    expect(() => engine.submit(requests[3])).toThrow(QueueFullError);
    const answers = await Promise.all(streams.map(readAll));
    expect(answers.map(({ all }) => all)).toEqual((await alone()).slice(0, 3));
    expect(engine.stats()).toMatchObject({ refusedRequests: 1, finishedRequests: 3 });
    await engine.close();
    expect(() => engine.submit(requests[0])).toThrow(EngineClosedError);
  });

  test("refuse what waited for its turn as long as it may, and go on with what has begun", async () => {
    const engine = new Engine(model, { ...small, maxRunning: 1, maxQueuedMs: 1 });
    const [first, second] = [engine.submit(requests[0]), engine.submit(requests[1])];
    await first.begun;
    await expect(second.begun).rejects.toThrow(QueueTimeoutError);
    await expect(readAll(second)).rejects.toThrow(/turn did not come within 0.001 s/);
    expect((await readAll(first)).all).toEqual((await alone())[0]);
    expect(engine.stats()).toMatchObject({ refusedRequests: 1, finishedRequests: 1 });
    await engine.close();
  });

  test("are run by one loop, also when a request comes just as the last one ends", async () => {
    const engine = new Engine(model, small);
    const [request] = requests;
    const before = (await alone())[0];
    for (let i = 0; i < 5; i++) {
      // As soon as the last token is there, before the loop has seen that nothing is left.
      const answers = [readAll(engine.submit(request))];
      await Promise.all(answers);
      answers.push(readAll(engine.submit(request)), readAll(engine.submit(request)));
      for (const { all } of await Promise.all(answers)) expect(all).toEqual(before);
    }
    expect(engine.stats()).toMatchObject({ finishedRequests: 15, failedRequests: 0 });
    expect(engine.stats().kvBlocks.used).toBe(0);
    await engine.close();
  });

  test("stop when the engine is closed, now or after those that run", async () => {
    const patient = new Engine(model, small);
    const done = readAll(patient.submit(requests[0]));
    await patient.close(60_000);
    expect((await done).tokens).toHaveLength(20);
    const hasty = new Engine(model, small);
    const cut = readAll(hasty.submit({ prompt: [3], maxTokens: 60, ignoreEos: true }));
    const closed = expect(cut).rejects.toThrow(EngineClosedError);
    await hasty.close(0);
    await closed;
  });
});

describe("a draft model", () => {
  test("changes nothing, and is right about itself", async () => {
    const draft = await load(checkpoint.path, { backend });
    const { answers, stats } = await runAll(requests, {
      speculation: { draft, lookup: false, mostRunning: 9 },
    });
    expect(answers.map(({ all }) => all)).toEqual(await alone());
    expect(stats.acceptedTokens).toBeGreaterThan(20);
    expect(stats.acceptedTokens).toBeLessThan(stats.draftedTokens);
  });

  test("must have the same tokens", async () => {
    const draft = await load(checkpoint.path, { backend });
    const { vocabularySize } = model.tokenizer;
    const tokenizer = { idToToken: () => "another", vocabularySize };
    const stranger = Object.assign(Object.create(draft), { tokenizer });
    expect(() => new Engine(model, { ...small, speculation: { draft: stranger } })).toThrow(
      /does not have the tokens/,
    );
  });
});

describe("embeddings", () => {
  test("are means of final states, of length 1, however the text is read", async () => {
    const ids = textOf(3, 23);
    const engine = new Engine(model, { ...small, kvCache: "f32", stepTokens: 5 });
    const whole = new Engine(model, { ...small, kvCache: "f32" });
    const [vector, other, last] = await Promise.all([
      engine.embed(ids),
      whole.embed(ids),
      whole.embed(ids, { pooling: "last" }),
    ]);
    expect(vector).toEqual(other);
    expect(last).not.toEqual(other);
    const states = await model
      .finalStates(
        model.hiddenStates(model.tokens([ids])).reshape([ids.length, model.config.hiddenSize]),
      )
      .read();
    const width = model.config.hiddenSize;
    const mean = Array.from({ length: width }, (_, i) =>
      states.reduce((sum, x, at) => sum + (at % width === i ? x : 0), 0),
    );
    const length = Math.hypot(...mean);
    for (const [i, x] of vector.entries()) expect(x).toBeCloseTo(mean[i] / length, 4);
    expect(engine.stats().kvBlocks.used).toBe(0);
    await engine.close();
    await whole.close();
  });
});

test("options out of range are refused", () => {
  const make = (options: EngineOptions) => () => new Engine(model, options);
  expect(make({ maxRunning: 0 })).toThrow(/`maxRunning`/);
  expect(make({ blockSize: 300 })).toThrow(/`blockSize`/);
  expect(make({ maxContext: 64, cacheTokens: 32 })).toThrow(/does not hold a text of 64/);
});
