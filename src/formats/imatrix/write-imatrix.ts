import type { GgufValue } from "../gguf/gguf-metadata.ts";
import { type GgufEntry, layOutGguf } from "../gguf/gguf-layout.ts";
import { ggmlTypeNamed } from "../gguf/gguf-types.ts";
import { GgufWriter } from "../gguf/gguf-writer.ts";
import { FormatError } from "../../util/errors.ts";
import type { Imatrix } from "./imatrix.ts";
import { imatrixEndings } from "./read-imatrix.ts";

/**
 * Writes importance in llama.cpp's GGUF form: of each weight `NAME.in_sum2 [experts, columns]` and
 * `NAME.counts [experts, 1]`, float32. Source: tools/imatrix/imatrix.cpp of ggml-org/llama.cpp.
 * @throws FewbitError (code `FILE`) when the file is there already, or cannot be written
 */
export async function writeImatrix(path: string, imatrix: Imatrix): Promise<void> {
  const type = ggmlTypeNamed("f32");
  if (!type) throw new FormatError("float32 is not among the types of ggml");
  const entries: GgufEntry[] = [];
  const data = new Map<string, Float32Array>();
  for (const [name, { sums, counts }] of imatrix.entries) {
    const experts = counts.length;
    const parts = { sums: [experts, sums.length / experts], counts: [experts, 1] } as const;
    for (const part of ["sums", "counts"] as const) {
      const tensor = name + imatrixEndings[part];
      entries.push({ name: tensor, type, shape: parts[part] });
      data.set(tensor, part === "sums" ? sums : counts);
    }
  }
  const parts = layOutGguf(path, { metadata: metadataOf(imatrix), entries });
  const writer = await GgufWriter.create(parts, [path]);
  try {
    for (const [name, values] of data) await writer.write(name, values);
  } catch (error) {
    await writer.close();
    throw error;
  }
  await writer.finish();
}

function metadataOf({ datasets, chunkCount, chunkSize }: Imatrix): Map<string, GgufValue> {
  const names = { elements: "string", length: datasets.length, values: datasets } as const;
  return new Map<string, GgufValue>([
    ["general.type", { type: "string", value: "imatrix" }],
    ["imatrix.datasets", { type: "array", ...names }],
    ["imatrix.chunk_count", { type: "u32", value: chunkCount }],
    ["imatrix.chunk_size", { type: "u32", value: chunkSize }],
  ]);
}
