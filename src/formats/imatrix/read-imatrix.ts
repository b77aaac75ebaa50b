import { openForReading } from "../../platform/node.ts";
import { FormatError } from "../../util/errors.ts";
import { type GgufFile, openGgufFile } from "../gguf/gguf-file.ts";
import { quoteName } from "../wording.ts";
import { expectEntry, type Imatrix, type ImatrixEntry } from "./imatrix.ts";
import { readLegacyImatrix } from "./legacy-imatrix.ts";

/** Endings of the tensors of a weight: sums of squares, under either name, and counts. */
export const imatrixEndings = { sums: ".in_sum2", counts: ".counts" } as const;
const olderSums = ".sums";

/**
 * Reads an importance file of llama.cpp, in its GGUF form or the binary one before it.
 * @throws FormatError when it is neither, or has numbers that are none of importance
 */
export async function readImatrix(path: string): Promise<Imatrix> {
  if (!(await beginsLikeGguf(path))) return readLegacyImatrix(path);
  const file = await openGgufFile(path);
  try {
    return await readEntries(file);
  } finally {
    await file.close();
  }
}

async function beginsLikeGguf(path: string): Promise<boolean> {
  const file = await openForReading(path);
  try {
    const start = new Uint8Array(4);
    const read = await file.read(start, 0);
    return read === 4 && new TextDecoder().decode(start) === "GGUF";
  } finally {
    await file.close();
  }
}

async function readEntries(file: GgufFile): Promise<Imatrix> {
  const { metadata, tensors, path } = file;
  const type = metadata.string("general.type");
  if (type !== null && type !== "imatrix") {
    throw new FormatError(`${path} holds a ${quoteName(type)}, no importance of columns`, {
      hint: "name a file of importance: the command imatrix makes one",
    });
  }
  const entries = new Map<string, ImatrixEntry>();
  for (const tensor of tensors.keys()) {
    const name = weightOf(tensor);
    if (name === null) continue;
    if (entries.has(name)) throw new FormatError(`${path} has ${quoteName(name)} twice`);
    const sums = await readFloats(file, tensor);
    const counts = await readFloats(file, name + imatrixEndings.counts);
    expectEntry(path, name, { sums, counts });
    entries.set(name, { sums, counts });
  }
  if (entries.size === 0) {
    throw new FormatError(`${path} has no importance of columns`, {
      hint: "name a file that the command imatrix, or llama-imatrix, wrote",
    });
  }
  return {
    datasets: metadata.strings("imatrix.datasets") ?? [],
    chunkCount: metadata.count("imatrix.chunk_count") ?? 0,
    chunkSize: metadata.count("imatrix.chunk_size") ?? 0,
    entries,
  };
}

function weightOf(tensor: string): string | null {
  const ending = [imatrixEndings.sums, olderSums].find((each) => tensor.endsWith(each));
  return ending === undefined ? null : tensor.slice(0, -ending.length);
}

async function readFloats(file: GgufFile, name: string): Promise<Float32Array> {
  const { type, begin, end } = file.info(name);
  if (type.name !== "f32") {
    throw new FormatError(`${file.path}: ${quoteName(name)} is of type ${type.name}, not f32`);
  }
  const bytes = new Uint8Array(end - begin);
  await file.readInto(name, bytes, 0);
  return new Float32Array(bytes.buffer);
}
