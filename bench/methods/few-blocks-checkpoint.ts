import { cpSync, mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { openCheckpoint } from "../../src/formats/checkpoint.ts";
import { isArrayDType } from "../../src/formats/stored-dtype.ts";
import { CheckpointWriter } from "../../src/formats/checkpoint-writer.ts";

/** Writes a Llama checkpoint with its first blocks only; `from` and `to` are directories. */
export async function writeFewBlocks(from: string, to: string, blocks: number): Promise<void> {
  mkdirSync(to, { recursive: true });
  for (const file of readdirSync(from)) {
    if (/\.(json|jinja|model)$/.test(file) && !file.includes("safetensors")) {
      cpSync(join(from, file), join(to, file));
    }
  }
  const checkpoint = await openCheckpoint(from);
  try {
    const config = { ...checkpoint.config, num_hidden_layers: blocks };
    writeFileSync(join(to, "config.json"), JSON.stringify(config));
    const kept = [...checkpoint.tensors.values()].filter(
      ({ name }) => Number(/layers\.(\d+)\./.exec(name)?.[1] ?? 0) < blocks,
    );
    const entries = kept.flatMap(({ name, dtype, shape }) =>
      isArrayDType(dtype) ? [{ name, dtype, shape }] : [],
    );
    const writer = await CheckpointWriter.create(to, entries);
    for (const { name, begin, end } of kept) {
      const bytes = new Uint8Array(end - begin);
      await checkpoint.readInto(name, bytes, 0);
      await writer.write(name, bytes);
    }
    await writer.finish();
  } finally {
    await checkpoint.close();
  }
}
