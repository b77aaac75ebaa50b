/**
 * fewbit's side of the decode benchmark, a process of its own:
 *
 *   node fewbit-side.ts measure <checkpoint>     tokens per second
 *   node fewbit-side.ts check <checkpoint>       how far fast products are from exact ones
 *   node fewbit-side.ts profile <checkpoint>     where the executor's time goes while decoding
 *
 * Prints JSON. FEWBIT_THREADS sets the threads, as everywhere. FEWBIT_BENCH_PRODUCTS=exact measures
 * exact products instead of those that generation takes by default.
 */
import type { Products } from "../../src/backend/packed-operand.ts";
import {
  createNativeBackend,
  type NativeBackend,
  type OpTime,
} from "../../src/kernels/native/native-backend.ts";
import { generateText } from "../../src/runtime/generate.ts";
import type { LanguageModel } from "../../src/runtime/language-model.ts";
import { load } from "../../src/runtime/load.ts";
import { decodedTokens, makePrompt, measureGeneration } from "./decode-measurement.ts";

/** How far logits of fast products are from those of exact ones, after the prompt. */
export interface ProductsCheck {
  /** ‖fast − exact‖ / ‖exact‖ */
  readonly relativeError: number;
  /** Place of the likeliest token of the exact logits among the fast ones; 0 is the first. */
  readonly rankOfBest: number;
}

/** Where the executor's time goes in a decode step. */
export interface DecodeProfile {
  readonly steps: number;
  readonly times: readonly OpTime[];
}

const [task, checkpoint = ""] = process.argv.slice(2);
const backend = createNativeBackend();
const model = await load(checkpoint, { backend });
const prompt = makePrompt(model.config.vocabularySize);
// The first pass finds pages and code cold; it does not count.
await generate(2);
process.stdout.write(JSON.stringify(await run()));
model.release();
backend.close();

async function run(): Promise<unknown> {
  if (task === "check") return checkProducts(model);
  if (task === "profile") return profileDecode(backend);
  const kernels = `${backend.description}, ${backend.threads} threads`;
  return measureGeneration((onToken) => generate(decodedTokens + 1, onToken), kernels);
}

async function generate(maxTokens: number, onToken?: () => void): Promise<void> {
  const products =
    process.env["FEWBIT_BENCH_PRODUCTS"] === "exact" ? { products: "exact" as const } : {};
  await generateText(model, { prompt, maxTokens, ignoreEos: true, ...products }, onToken);
}

async function checkProducts(languageModel: LanguageModel): Promise<ProductsCheck> {
  const logits = async (products: Products): Promise<Float32Array> => {
    const few = prompt.slice(0, 16);
    const hidden = languageModel.hiddenStates(languageModel.tokens([few]), { products });
    const rows = hidden.reshape([few.length, languageModel.config.hiddenSize]);
    return languageModel.logits(rows.slice(few.length - 1, few.length), products).read();
  };
  const [exact, fast] = [await logits("exact"), await logits("fast")];
  const norm = (at: (i: number) => number): number =>
    Math.sqrt(exact.reduce((sum, _, i) => sum + at(i) ** 2, 0));
  const best = exact.indexOf(exact.reduce((a, b) => Math.max(a, b)));
  return {
    relativeError: norm((i) => fast[i] - exact[i]) / norm((i) => exact[i]),
    rankOfBest: fast.reduce((count, value) => count + (value > fast[best] ? 1 : 0), 0),
  };
}

/** Profiles the steps after the first token. */
async function profileDecode(native: NativeBackend): Promise<DecodeProfile> {
  let steps = -1;
  await generate(decodedTokens + 1, () => {
    if (++steps === 0) native.profile();
  });
  return { steps, times: native.profile() };
}
