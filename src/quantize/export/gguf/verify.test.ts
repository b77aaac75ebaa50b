import {
  copyFileSync,
  existsSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { openBackend } from "../../../backend/registry.ts";
import "../../../index.ts";
import { ggufTraitsOf } from "../../../models/index.ts";
import { openModelCheckpoint } from "../../../runtime/model-checkpoint.ts";
import { NumericError } from "../../../util/errors.ts";
import { exportCheckpoint } from "../../export-checkpoint.ts";
import { decideFloats } from "./decide-types.ts";
import { listTensors } from "./list-tensors.ts";
import { TensorHashes } from "./tensor-hashes.ts";
import { openRows } from "./tensor-rows.ts";
import { verifyGguf } from "./verify.ts";

const { backend } = openBackend();
const model = new URL("../../../../builtin/model", import.meta.url).pathname;
let folder = "";
let whole = "";

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "gguf-verify-"));
  whole = join(folder, "whole.gguf");
  const asked = { format: "gguf", out: whole, type: "f32" } as const;
  await exportCheckpoint({ directory: model, backend }, asked);
});
afterAll(() => rmSync(folder, { recursive: true }));

/** Verifies a copy of the export whose bytes `change` has changed. */
async function verifyChanged(change: (bytes: Buffer) => void): Promise<string> {
  const path = join(folder, "changed.gguf");
  copyFileSync(whole, path);
  const bytes = readFileSync(path);
  change(bytes);
  writeFileSync(path, bytes);
  const { checkpoint, config } = await openModelCheckpoint(model);
  const gguf = ggufTraitsOf(checkpoint.config);
  const hashes = new TensorHashes();
  const rule = { name: "f32", keepsFloats: false, typeOf: () => null };
  const tensors = [];
  for (const tensor of listTensors(checkpoint, new Map(), config, gguf)) {
    const [part] = tensor.parts;
    const rows = await openRows(checkpoint, part);
    hashes.add(part.source, await rows.floats(0, part.shape[0]));
    const decision = { ...decideFloats(tensor, rule), kind: "exact" as const };
    tensors.push({ ...tensor, decision });
  }
  const origin = { name: "model", origin: null, record: null };
  const source = { checkpoint, config, path: model, backend, ...origin };
  try {
    await verifyGguf(source, { paths: [path], tensors, hashes }, {});
    return path;
  } finally {
    await checkpoint.close();
  }
}

test("what was written as it was to be passes", async () => {
  const path = await verifyChanged(() => {});
  expect(existsSync(path)).toBe(true);
});

test("one changed bit of a weight is found, and the file removed", async () => {
  const changed = verifyChanged((bytes) => {
    bytes[bytes.length - 100] ^= 1;
  });
  await expect(changed).rejects.toThrow(NumericError);
  expect(existsSync(join(folder, "changed.gguf"))).toBe(false);
});
