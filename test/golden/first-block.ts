import { cp, mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { openCheckpoint } from "../../src/formats/checkpoint.ts";
import { CheckpointWriter } from "../../src/formats/checkpoint-writer.ts";
import { writableDType } from "../../src/run/output/copy-tensor.ts";

const builtin = fileURLToPath(new URL("../../builtin/model/", import.meta.url));

/** Writes the built-in model with its first block alone: small, with trained weights. */
export async function writeFirstBlock(path: string): Promise<void> {
  await mkdir(path);
  for (const name of ["tokenizer.json", "tokenizer_config.json", "generation_config.json"]) {
    await cp(join(builtin, name), join(path, name));
  }
  const config = JSON.parse(await readFile(join(builtin, "config.json"), "utf8"));
  await writeFile(join(path, "config.json"), JSON.stringify({ ...config, num_hidden_layers: 1 }));
  const whole = await openCheckpoint(builtin);
  const tensors = [...whole.tensors.values()].filter(({ name }) => !/layers\.[1-9]/.test(name));
  const entries = tensors.map((info) => ({ ...info, dtype: writableDType(info) }));
  const writer = await CheckpointWriter.create(path, entries);
  for (const { name, begin, end } of tensors) {
    const bytes = new Uint8Array(end - begin);
    await whole.readInto(name, bytes, 0);
    await writer.write(name, bytes);
  }
  await writer.finish();
  await whole.close();
}
