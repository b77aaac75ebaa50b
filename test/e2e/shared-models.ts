import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll } from "vitest";
import {
  evaluate,
  methods,
  type Products,
  type QuantizeOptions,
  quantize,
} from "../../src/index.ts";

import { presets } from "../../src/recipe/presets/index.ts";
import { needsText } from "../../src/recipe/needs-text.ts";
import { keptTables } from "../fixtures/kept-tables.ts";

/*
 * What the accuracy tests share: the models and texts of ../shared/data, and the values that
 * PyTorch gave there. The protocol of these values stands in the README of that folder.
 */

const folder = new URL("../../../shared/data/", import.meta.url);

/** Path of a file of the shared data. */
export const shared = (path: string): string => fileURLToPath(new URL(path, folder));

/** Suffix for the titles of tests that need the shared data; empty where the data is there. */
export const absent: string = existsSync(shared("models/stories260K"))
  ? ""
  : " (skipped: the shared models, ../shared/data, are not on this machine)";

/** Whether the tests take every scheme and the whole texts, which takes many minutes. */
export const everything: boolean = process.env.FEWBIT_FULL_ACCURACY === "1";

/** A model with reference values. */
export type ModelName = "stories260K" | "babyllama-tok105" | "prose-6m";

/** Values from PyTorch; every scheme has perplexities by method. */
export interface Reference {
  readonly window: number;
  readonly calibrationWindows: number;
  readonly perplexity: number;
  readonly schemes: ReadonlyMap<string, SchemeReference>;
}

/** Perplexities after quantizing to a scheme. */
export interface SchemeReference {
  readonly rtn: number;
  readonly gptq: number;
  readonly "gptq-actorder-static": number;
}

/** Reads the reference values of a model. */
export function readReference(model: ModelName): Reference {
  const document = JSON.parse(readFileSync(shared(`reference/${model}.json`), "utf8"));
  const { window, calibration_windows: calibrationWindows, float } = document;
  const schemes = Object.entries<SchemeReference>(document).filter(([key]) => /^w\d/.test(key));
  return {
    window,
    calibrationWindows,
    perplexity: float.perplexity,
    schemes: new Map(schemes),
  };
}

/** Text that a model is evaluated on. */
export const evaluationText = (model: ModelName): string =>
  shared(model === "prose-6m" ? "text/prose/test.txt" : "text/tinystories-eval.txt");

/** Text that a model is calibrated with. */
export const calibrationText = (model: ModelName): string =>
  shared(model === "prose-6m" ? "text/prose/train.txt" : "text/tinystories-calibration.txt");

/** A folder for the files of one test file, removed after its tests; returns paths in it. */
export function temporaryFolder(): (name: string) => string {
  let path = "";
  beforeAll(() => {
    path = mkdtempSync(join(tmpdir(), "fewbit-e2e-"));
  });
  afterAll(() => rmSync(path, { recursive: true, force: true }));
  return (name) => join(path, name);
}

/** Quantizes a model as the reference values were made, apart from what `options` say. */
export async function quantizeLikeReference(
  model: ModelName,
  options: QuantizeOptions,
): Promise<string> {
  const { window, calibrationWindows: samples } = readReference(model);
  const method = methods[options.method ?? presets[options.preset].method];
  const calibration = needsText(method) ? { calibration: calibrationText(model) } : {};
  await quantize(shared(`models/${model}`), {
    ...calibration,
    ...keptTables,
    samples,
    window,
    overwrite: true,
    ...options,
  });
  return options.out;
}

/** Measures the perplexity of a checkpoint by the protocol of the reference values. */
export async function perplexityOf(
  directory: string,
  model: ModelName,
  maxWindows?: number,
  products: Products = "exact",
): Promise<number> {
  const { perplexity } = await evaluate(directory, {
    products,
    text: evaluationText(model),
    window: readReference(model).window,
    speedTokens: 0,
    ...(maxWindows === undefined ? {} : { maxWindows }),
  });
  return perplexity;
}
