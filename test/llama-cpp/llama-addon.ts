import { existsSync, mkdtempSync, readFileSync, rmSync, symlinkSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";

/*
 * llama.cpp as a Node-API addon, which node-llama-cpp compiles. Only its packages of binaries are
 * installed; they are called directly, without node-llama-cpp's queues and checks.
 */

/** What is used of the addon. */
export interface LlamaAddon {
  loadBackends(directory: string): void;
  init(): Promise<void>;
  systemInfo(): string;
  setLoggerLogLevel(level: number): void;
  readonly AddonModel: new (path: string, options: object) => LlamaModel;
  readonly AddonContext: new (model: LlamaModel, options: object) => LlamaContext;
  readonly AddonSampler: new (model: LlamaModel) => LlamaSampler;
}
export interface LlamaModel {
  init(): Promise<boolean>;
  /** Ids of a text, without BOS and EOS; `special` lets it contain special tokens. */
  tokenize(text: string, special: boolean): Uint32Array;
  detokenize(ids: Uint32Array, special: boolean): string;
  tokenBos(): number;
  isEogToken(id: number): boolean;
  shouldPrependBosToken(): boolean;
  shouldAppendEosToken(): boolean;
  getModelDescription(): string;
  dispose(): Promise<void>;
}
export interface LlamaSampler {
  applyConfig(options: { temperature: number }): void;
}
/** The chosen token, and the logits in falling order as id, value, id, value … */
export type SampledToken = [id: number, _: unknown, _: unknown, logits?: number[]];
export interface LlamaContext {
  init(): Promise<boolean>;
  getThreads(): number;
  initBatch(size: number): void;
  addToBatch(
    sequence: number,
    position: number,
    ids: Uint32Array,
    wanted: Uint32Array,
  ): Uint32Array;
  decodeBatch(): Promise<void>;
  sampleToken(output: number, sampler: LlamaSampler): Promise<number>;
  sampleToken(
    output: number,
    sampler: LlamaSampler,
    probabilities: false,
    confidence: false,
    logits: true,
  ): Promise<SampledToken>;
  disposeSequence(sequence: number): void;
  dispose(): Promise<void>;
}

/** Names of the packages of binaries, by platform and processor. */
const packages: Readonly<Record<string, string>> = {
  "linux-x64": "linux-x64",
  "darwin-arm64": "mac-arm64-metal",
  "darwin-x64": "mac-x64",
  "win32-x64": "win-x64",
};

/** Where the addon of this machine lies; null where none is installed. */
export function findLlamaAddon(): string | null {
  const name = packages[`${process.platform}-${process.arch}`];
  if (!name) return null;
  try {
    const main = createRequire(import.meta.url).resolve(`@node-llama-cpp/${name}`);
    const binaries = join(dirname(main), "..", "bins", name);
    return existsSync(join(binaries, "llama-addon.node")) ? binaries : null;
  } catch {
    return null;
  }
}

/** Suffix for the titles of tests that need llama.cpp; empty where it is there. */
export const llamaAbsent: string = findLlamaAddon()
  ? ""
  : " (skipped: node-llama-cpp has no binary for this machine, or it is not installed)";

/** Names the release of llama.cpp. */
export function describeLlama(binaries: string): string {
  const text = readFileSync(join(binaries, "_nlcBuildMetadata.json"), "utf8");
  const { buildOptions } = JSON.parse(text) as {
    buildOptions: { llamaCpp: { release: string } };
  };
  return `llama.cpp ${buildOptions.llamaCpp.release}`;
}

/** Whether the addon has the kernels of another CPU than the best. */
export function hasVariant(binaries: string, variant: string): boolean {
  return existsSync(join(binaries, libraryOf(variant)));
}

function libraryOf(variant: string): string {
  return `libggml-cpu-${variant}.so`;
}

/**
 * Loads the addon with the kernels that llama.cpp finds best for this CPU, or with those of a
 * variant: one of the CPU libraries in the addon's folder, such as haswell. Once in a process.
 */
export async function openLlama(binaries: string, variant?: string): Promise<LlamaAddon> {
  const llama = createRequire(import.meta.url)(join(binaries, "llama-addon.node")) as LlamaAddon;
  llama.setLoggerLogLevel(2);
  if (variant) loadOnly(llama, binaries, variant);
  else llama.loadBackends(binaries);
  await llama.init();
  return llama;
}

/** Lets llama.cpp look for kernels in a folder that has only those of one CPU. */
function loadOnly(llama: LlamaAddon, binaries: string, variant: string): void {
  const only = mkdtempSync(join(tmpdir(), "fewbit-bench-"));
  try {
    symlinkSync(join(binaries, libraryOf(variant)), join(only, libraryOf(variant)));
    llama.loadBackends(only);
  } finally {
    rmSync(only, { recursive: true });
  }
}
