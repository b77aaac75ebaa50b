import { afterAll, beforeAll, expect, test } from "vitest";
import { type TinyCheckpoint, writeTinyCheckpoint } from "../../../test/golden/tiny-checkpoint.ts";
import { createReferenceBackend } from "../../kernels/reference/index.ts";
import { FormatError, UsageError } from "../../util/errors.ts";
import { load } from "../load.ts";
import { ModelPool, type ModelPoolOptions, type PooledModel } from "./model-pool.ts";
import { EngineClosedError } from "./serving-errors.ts";

let checkpoint: TinyCheckpoint;
const backend = createReferenceBackend();
const engine = { maxContext: 32, blockSize: 4 };

beforeAll(async () => {
  checkpoint = await writeTinyCheckpoint();
});
afterAll(() => checkpoint.remove());

function newPool(options: Partial<ModelPoolOptions> = {}): {
  readonly pool: ModelPool;
  readonly loaded: string[];
} {
  const loaded: string[] = [];
  const models: PooledModel[] = ["a", "b", "c"].map((name) => {
    return { name, source: checkpoint.path, engine };
  });
  const loadModel = (model: PooledModel) => {
    loaded.push(model.name);
    return load(model.source, { backend });
  };
  return { pool: new ModelPool({ models, load: loadModel, ...options }), loaded };
}

const states = (pool: ModelPool) => pool.list().map(({ state }) => state);

async function firstToken(pool: ModelPool, name: string): Promise<number> {
  const lease = await pool.acquire(name);
  let first = -1;
  for await (const generated of lease.engine.submit({ prompt: [3], maxTokens: 1 })) {
    first = generated.token;
  }
  lease.release();
  return first;
}

test("models are loaded when they are asked for, once, and run side by side", async () => {
  const { pool, loaded } = newPool();
  expect(states(pool)).toEqual(["unloaded", "unloaded", "unloaded"]);
  const [one, two, three] = await Promise.all(
    ["a", "a", "b"].map((name) => firstToken(pool, name)),
  );
  expect([two, three]).toEqual([one, one]);
  expect(loaded).toEqual(["a", "b"]);
  expect(states(pool)).toEqual(["loaded", "loaded", "unloaded"]);
  expect(pool.list()[0].bytes).toBeGreaterThan(0);
  await pool.close();
  expect(states(pool)).toEqual(["unloaded", "unloaded", "unloaded"]);
  await expect(pool.acquire("a")).rejects.toThrow(EngineClosedError);
});

test("those that nobody uses make room, the longest unused first", async () => {
  const { pool, loaded } = newPool({ maxBytes: 1 });
  const held = await pool.acquire("a");
  await firstToken(pool, "b");
  await firstToken(pool, "c");
  expect(states(pool)).toEqual(["loaded", "unloaded", "loaded"]);
  held.release();
  await firstToken(pool, "b");
  expect(states(pool)).toEqual(["unloaded", "loaded", "unloaded"]);
  expect(loaded).toEqual(["a", "b", "c", "b"]);
  await pool.close();
});

test("one that was not used for a while is unloaded, and loaded again", async () => {
  const { pool, loaded } = newPool({ idleMs: 1 });
  await firstToken(pool, "a");
  while (states(pool)[0] !== "unloaded") await new Promise((resolve) => setTimeout(resolve, 5));
  await firstToken(pool, "a");
  expect(loaded).toEqual(["a", "a"]);
  await pool.close();
});

test("what cannot be loaded is tried again, and names must be known and different", async () => {
  let tries = 0;
  const { pool } = newPool({
    load: async (model) => {
      if (tries++ === 0) throw new FormatError("not there yet");
      return load(model.source, { backend });
    },
  });
  await expect(pool.acquire("a")).rejects.toThrow("not there yet");
  expect(await firstToken(pool, "a")).toBeGreaterThan(-1);
  await expect(pool.acquire("d")).rejects.toThrow(/there is no model "d"/);
  await pool.close();
  const twice = [
    { name: "a", source: "x" },
    { name: "a", source: "y" },
  ];
  expect(() => newPool({ models: twice })).toThrow(UsageError);
  expect(() => newPool({ models: [] })).toThrow(UsageError);
});
