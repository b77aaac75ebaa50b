import { existsSync, mkdtempSync, readFileSync, rmSync, symlinkSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";

/**
 * What is used of the compiled addon in npm's node-llama-cpp, which is llama.cpp behind Node-API.
 */
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
}
export interface LlamaSampler {
  applyConfig(options: { temperature: number }): void;
}
export interface LlamaContext {
  init(): Promise<boolean>;
  getThreads(): number;
  initBatch(size: number): void;
  addToBatch(sequence: number, position: number, ids: Uint32Array, wanted: Uint32Array): number[];
  decodeBatch(): Promise<void>;
  sampleToken(output: number, sampler: LlamaSampler): Promise<number>;
  disposeSequence(sequence: number): void;
}

const system = { linux: "linux", darwin: "mac", win32: "win" }[process.platform as string];
const platform = `${system}-${process.arch}`;
/** Where the addon lies under the folder that FEWBIT_LLAMA names; null when it is not there. */
export function findLlamaAddon(folder: string | undefined): string | null {
  if (!folder) return null;
  const binaries = resolve(folder, "node_modules/@node-llama-cpp", platform, "bins", platform);
  return existsSync(join(binaries, "llama-addon.node")) ? binaries : null;
}

/** Names the release of llama.cpp and of the package that carries it. */
export function describeLlama(folder: string): string {
  const root = resolve(folder, "node_modules/node-llama-cpp");
  const read = (path: string): Record<string, string> =>
    JSON.parse(readFileSync(join(root, path), "utf8")) as Record<string, string>;
  const { release } = read("llama/binariesGithubRelease.json");
  return `llama.cpp ${release} of node-llama-cpp ${read("package.json")["version"]}`;
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
 * variant: one of the CPU libraries in the addon's folder, such as haswell.
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
