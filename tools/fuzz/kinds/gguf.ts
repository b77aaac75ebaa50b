import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { openCheckpoint } from "../../../src/formats/checkpoint.ts";
import { openGgufFile } from "../../../src/formats/gguf/gguf-file.ts";
import type { GgufValue } from "../../../src/formats/gguf/gguf-metadata.ts";
import { ggmlTypeNamed, ggmlRowBytes } from "../../../src/formats/gguf/gguf-types.ts";
import { generateText, inspect, load, planQuantization } from "../../../src/index.ts";
import { Prng } from "../../../src/util/prng.ts";
import { ggufBytes, meta, type TestTensor } from "../../../test/fixtures/gguf-bytes.ts";
import { letterTokenizer } from "../../../test/fixtures/gguf-tokenizer.ts";
import { writeGgufOf } from "../../../test/fixtures/gguf-of-checkpoint.ts";
import { writeTinyCheckpoint } from "../../../test/golden/tiny-checkpoint.ts";
import type { Kind } from "../kind.ts";

const backend = "reference";

/** Types of the linear layers of the files that are changed, and the family of each. */
const models: readonly (readonly [type: string, modelCase: string, width: number])[] = [
  ["f32", "llama-biases", 32],
  ["q4_0", "llama", 32],
  ["q8_0", "qwen3", 32],
  ["mxfp4", "qwen2-tied", 32],
  ["q4_k", "smollm3-no-rope-layers", 256],
  ["iq2_xxs", "mistral-window", 256],
  ["q5_0", "mixtral", 32],
];

/** A sound file, and where its data begins. */
interface Original {
  readonly bytes: Uint8Array;
  readonly dataStart: number;
  readonly metadata: ReadonlyMap<string, GgufValue>;
  readonly tensors: readonly TestTensor[];
}

async function makeOriginal(
  folder: string,
  [type, modelCase, width]: (typeof models)[number],
): Promise<Original> {
  const config = {
    hidden_size: width,
    intermediate_size: width,
    head_dim: 8,
    no_rope_layers: null,
  };
  const { path } = await writeTinyCheckpoint({ modelCase, config, fitting: true });
  const file = join(folder, `${type}.gguf`);
  const found = ggmlTypeNamed(type);
  const prng = new Prng(1);
  const checkpoint = await openCheckpoint(path);
  await writeGgufOf(checkpoint, file, {
    metadata: { ...letterTokenizer, "general.sampling.temp": meta.f32(0.7) },
    pack: (name, [rows, columns]) => {
      const rowBytes = found?.kind === "plain" || !found ? null : ggmlRowBytes(found, columns);
      if (rowBytes === null || !/(?:proj|w\d)\.weight$/.test(name)) return null;
      const data = Uint8Array.from({ length: rows * rowBytes }, () => prng.below(60));
      return { type, data };
    },
  });
  await checkpoint.close();
  const bytes = new Uint8Array(readFileSync(file));
  const opened = await openGgufFile(file);
  await opened.close();
  const dataBytes = Math.max(...[...opened.tensors.values()].map(({ end }) => end));
  const dataStart = bytes.length - Math.ceil(dataBytes / 32) * 32;
  const tensors = [...opened.tensors.values()].map(
    ({ name, type: { name: type }, shape, begin, end }) => ({
      name,
      type,
      shape,
      data: bytes.subarray(dataStart + begin, dataStart + end),
    }),
  );
  return { bytes, dataStart, metadata: opened.metadata.entries, tensors };
}

/** The metadata with changed single values; numbers keep to the types that files mostly have. */
function changedMetadata(
  metadata: ReadonlyMap<string, GgufValue>,
  change: (value: unknown) => unknown,
): Record<string, GgufValue> {
  const single = [...metadata].flatMap(([key, entry]) =>
    entry.type === "array" ? [] : [[key, entry.value] as const],
  );
  const changed = change(Object.fromEntries(single));
  const arrays = [...metadata].filter(([, { type }]) => type === "array");
  const values = Object.entries(typeof changed === "object" && changed !== null ? changed : {});
  return Object.fromEntries([...values.map(([key, value]) => [key, typed(value)]), ...arrays]);
}

function typed(value: unknown): GgufValue {
  if (typeof value === "string") return meta.string(value);
  if (typeof value === "boolean") return meta.bool(value);
  if (typeof value !== "number") return meta.strings([typeof value]);
  if (!Number.isInteger(value)) return meta.f32(value);
  return { type: "i64", value: BigInt.asIntN(64, BigInt(value)) };
}

async function useFile(path: string): Promise<void> {
  await inspect(path);
  await planQuantization(path, { method: "rtn", scheme: "w4g8", out: "out", backend });
  const model = await load(path, { backend });
  try {
    await generateText(model, { prompt: "ab", maxTokens: 2 });
  } finally {
    model.release();
  }
}

/** GGUF files: header, metadata and blocks. */
export const gguf: Kind = {
  id: "gguf",
  title: "GGUF files: header, metadata, blocks",
  open: async (folder) => {
    const originals: Original[] = [];
    for (const model of models) originals.push(await makeOriginal(folder, model));
    const path = join(folder, "changed.gguf");
    return async (mutator) => {
      const { bytes, dataStart, metadata, tensors } = mutator.pick(originals);
      const how = mutator.prng.below(4);
      const data = bytes.subarray(dataStart);
      if (how === 0) writeFileSync(path, mutator.bytes(bytes));
      else if (how === 1) {
        const changed = changedMetadata(metadata, (value) => mutator.value(value));
        writeFileSync(path, ggufBytes({ metadata: changed, tensors }));
      } else {
        const header = mutator.bytes(bytes.subarray(0, dataStart));
        writeFileSync(path, Buffer.concat([header, data]));
      }
      await useFile(path);
    };
  },
};
