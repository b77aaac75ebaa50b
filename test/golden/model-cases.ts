import { readdirSync, readFileSync } from "node:fs";
import type { Backend } from "../../src/backend/backend.ts";
import { DecoderModel } from "../../src/models/decoder.ts";
import type { DecoderBlock } from "../../src/models/decoder-weights.ts";
import { readModelConfig } from "../../src/models/index.ts";
import { Tensor } from "../../src/tensor/tensor.ts";
import { formulaSource, type StorageName } from "./formula-weights.ts";

/** One file of test/golden/models, as tools/golden/make_models.py writes it. */
export interface ModelCase {
  readonly dtype: StorageName;
  readonly config: Record<string, unknown>;
  /** Rows of input ids. */
  readonly ids: readonly (readonly number[])[];
  /** Positions of which the logits are listed. */
  readonly positions: readonly number[];
  /** `[rows, positions, vocabulary]`. */
  readonly logits: readonly (readonly (readonly number[])[])[];
}

const folder = new URL("./models/", import.meta.url);

/** Names of all golden models. */
export const modelCaseNames: readonly string[] = readdirSync(folder)
  .filter((name) => name.endsWith(".json"))
  .map((name) => name.slice(0, -".json".length));

/** Reads a golden model. */
export function readModelCase(name: string): ModelCase {
  return JSON.parse(readFileSync(new URL(`${name}.json`, folder), "utf8"));
}

/** A golden model with all its blocks in memory. */
export interface LoadedCase {
  readonly model: DecoderModel;
  readonly blocks: readonly DecoderBlock[];
}

/** Loads a golden model, or one with some fields of its `config.json` changed. */
export async function loadCase(
  backend: Backend,
  { config, dtype }: Pick<ModelCase, "config" | "dtype">,
): Promise<LoadedCase> {
  const parsed = readModelConfig(config);
  const model = await DecoderModel.open(backend, parsed, formulaSource(backend, parsed, dtype));
  const blocks: DecoderBlock[] = [];
  for (let i = 0; i < model.blockCount; i++) blocks.push(await model.loadBlock(i));
  return { model, blocks };
}

/** Makes a tensor of rows of ids. */
export function idTensor(backend: Backend, rows: readonly (readonly number[])[]): Tensor<"i32"> {
  return Tensor.from(backend, "i32", [rows.length, rows[0].length], Int32Array.from(rows.flat()));
}

/** Runs whole windows without a cache: logits `[rows · length, vocabulary]`. */
export function windowLogits(
  { model, blocks }: LoadedCase,
  rows: readonly (readonly number[])[],
): Tensor<"f32"> {
  let hidden = model.embed(idTensor(model.backend, rows));
  for (const block of blocks) {
    const next = model.forwardBlock(block, hidden, { position: 0 });
    if (next) hidden = next;
  }
  return model.logits(hidden.reshape([rows.flat().length, model.hiddenSize]));
}
