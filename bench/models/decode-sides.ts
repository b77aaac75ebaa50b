import { join } from "node:path";
import { openCheckpoint } from "../../src/formats/checkpoint.ts";
import { type DecodeMeasurement, runSide } from "./decode-measurement.ts";
import type { ProductsCheck } from "./fewbit-side.ts";
import { findLlamaAddon, hasVariant } from "../../test/llama-cpp/llama-addon.ts";
import { ggmlFormats } from "./gguf-blocks.ts";
import { type GgufTypes, ggufBytesPerToken, writeRandomLlamaGguf } from "./random-gguf.ts";
import { writeRandomPackedCheckpoint } from "./random-packed-checkpoint.ts";

/** A model of one runtime, on disk, ready to be measured. */
export interface DecodeSide {
  readonly name: string;
  /**
   * Bytes of weights that a decode step reads: all but the embedding, of which it reads one row.
   */
  readonly bytesPerToken: number;
  measure(threads: number): Promise<DecodeMeasurement>;
}

/** A side with packed weights of fewbit. */
export interface FewbitSide extends DecodeSide {
  readonly directory: string;
  check(): Promise<ProductsCheck>;
}

/** Scheme of the output head on fewbit's side. */
export const headScheme = "w4g64";

/** Writes a random packed checkpoint of a shape, as in config.json. */
export async function makeFewbitSide(
  folder: string,
  scheme: string,
  shape: Record<string, unknown>,
): Promise<FewbitSide> {
  const directory = join(folder, scheme);
  await writeRandomPackedCheckpoint(directory, { shape, scheme, headScheme, seed: 1 });
  const checkpoint = await openCheckpoint(directory);
  const bytesPerToken = [...checkpoint.tensors]
    .filter(([name]) => !name.startsWith("model.embed_tokens."))
    .reduce((sum, [, { begin, end }]) => sum + end - begin, 0);
  await checkpoint.close();
  const run = <Result>(task: string, threads: number): Promise<Result> =>
    runSide("fewbit-side.ts", [task, directory], { FEWBIT_THREADS: String(threads) });
  return {
    name: `fewbit ${scheme}`,
    bytesPerToken,
    directory,
    measure: (threads) => run("measure", threads),
    check: () => run("check", 1),
  };
}

/** Whether 8 bits and ternary weights are measured too. */
const all = process.env["FEWBIT_BENCH_ALL"] === "1";

/** Schemes of fewbit's models. */
export const schemes: readonly string[] = [
  "w2g64",
  "w3g64",
  "w4g64",
  ...(all ? ["w1.58", "w8g64"] : []),
];

/**
 * What llama.cpp is measured with. It takes the newest kernels that the CPU can run; those for AVX2
 * are in the comparison because they do not re-lay Q2_K, which is faster on some machines.
 */
const llamaCases: readonly (GgufTypes & { readonly name: string; readonly variant?: string })[] = [
  { name: "llama.cpp Q2_K", weights: "Q2_K", head: "Q2_K" },
  { name: "llama.cpp Q4_0", weights: "Q4_0", head: "Q4_0" },
  { name: "llama.cpp Q2_K, Q6_K head", weights: "Q2_K", head: "Q6_K" },
  { name: "llama.cpp Q2_K, AVX2 kernels", weights: "Q2_K", head: "Q2_K", variant: "haswell" },
  ...(all
    ? ([
        { name: "llama.cpp TQ2_0, Q4_0 head", weights: "TQ2_0", head: "Q4_0" },
        { name: "llama.cpp Q8_0", weights: "Q8_0", head: "Q8_0" },
      ] as const)
    : []),
];

/**
 * Writes random GGUF models of the same shape, of the types whose blocks fit into its rows; none
 * where llama.cpp is not installed.
 */
export async function makeLlamaSides(
  folder: string,
  shape: Record<string, unknown>,
): Promise<DecodeSide[]> {
  const binaries = findLlamaAddon();
  if (!binaries) return [];
  const sides: DecodeSide[] = [];
  const written = new Set<string>();
  for (const { name, variant, ...types } of llamaCases) {
    if (variant && !hasVariant(binaries, variant)) continue;
    if (Number(shape["hidden_size"]) % ggmlFormats[types.weights].weights > 0) continue;
    const path = join(folder, `${types.weights}-${types.head}.gguf`);
    if (!written.has(path)) await writeRandomLlamaGguf(path, shape, types);
    written.add(path);
    sides.push({
      name,
      bytesPerToken: ggufBytesPerToken(shape, types),
      measure: (threads) =>
        runSide("llama-cpp-side.ts", [path, String(threads), ...(variant ? [variant] : [])]),
    });
  }
  return sides;
}
