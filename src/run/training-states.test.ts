import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { createReferenceBackend } from "../kernels/reference/index.ts";
import { Tensor } from "../tensor/tensor.ts";
import type { TrainingProgress } from "../training/training-store.ts";
import { TrainingStates } from "./training-states.ts";

const backend = createReferenceBackend();
const identity = { seed: "0", steps: "10" };
let folder = "";

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "fewbit-states-"));
});
afterEach(() => rm(folder, { recursive: true }));

const progressAt = (step: number): TrainingProgress => ({
  step,
  losses: Array.from({ length: step }, (_, i) => 1 / (i + 3)),
  validations: [{ step: 0, loss: 0.1 + 0.2 }],
  elapsedMs: 12.5,
});
const tensorsOf = (value: number) =>
  new Map([["w", Tensor.from(backend, "f32", [2], Float32Array.of(value, -value))]]);
const files = (identityOf = identity) => new TrainingStates(join(folder, "states"), identityOf);

async function readBack(store: TrainingStates): Promise<[TrainingProgress | null, number]> {
  const tensors = tensorsOf(0);
  const progress = await store.read(tensors);
  return [progress, (await tensors.get("w")?.read())?.[0] ?? Number.NaN];
}

describe("states of a training", () => {
  test("the newest comes back as it was written, and two are kept", async () => {
    const store = files();
    for (const step of [5, 10, 100_000_000])
      await store.write(progressAt(step % 97), tensorsOf(step));
    expect(await readBack(store)).toEqual([progressAt(100_000_000 % 97), 100_000_000]);
    expect((await readdir(store.path)).filter((name) => name.endsWith(".json"))).toHaveLength(2);
    expect(await readdir(store.path)).toHaveLength(4);
  });

  test("without a state there is nothing to resume from", async () => {
    expect(await readBack(files())).toEqual([null, 0]);
  });

  test.each([
    ["tensors", "state-00000010.safetensors"],
    ["a document", "state-00000010.json"],
  ])("with %s damaged, the state before it counts", async (_, name) => {
    const store = files();
    for (const step of [5, 10]) await store.write(progressAt(step), tensorsOf(step));
    const path = join(store.path, name);
    const bytes = await readFile(path);
    const at = bytes.length - 40;
    bytes[at] = bytes[at] === 49 ? 50 : 49;
    await writeFile(path, bytes);
    expect(await readBack(store)).toEqual([progressAt(5), 5]);
  });

  test("what was cut off while it was written does not count", async () => {
    const store = files();
    await store.write(progressAt(5), tensorsOf(5));
    await writeFile(join(store.path, "state-00000010.safetensors.tmp"), "half");
    await writeFile(
      join(store.path, "state-00000010.safetensors"),
      "whole, but without its document",
    );
    expect(await readBack(store)).toEqual([progressAt(5), 5]);
    await store.write(progressAt(10), tensorsOf(10));
    expect(await readBack(store)).toEqual([progressAt(10), 10]);
  });

  test("a run with other options is told apart, and its state not taken", async () => {
    await files().write(progressAt(5), tensorsOf(5));
    const other = files({ ...identity, seed: "1" });
    expect(await readBack(other)).toEqual([null, 0]);
    expect(await readBack(files())).toEqual([progressAt(5), 5]);
  });
});
