// The model that is built in, rounded to several schemes and exported to containers, for their real readers.
//
//     node tools/interop/samples.mjs FOLDER [MODEL] [--schemes a,b] [--formats a,b]
//
// Writes FOLDER/<scheme>/: `packed`, `own.json` (own-logits.mjs) and a directory for each format that holds it.

import { existsSync } from "node:fs";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { exportCheckpoint, quantize, UnsupportedError } from "../../src/index.ts";
import { ownLogits } from "./own-logits.mjs";

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    schemes: { type: "string", default: "w2g64,w3g64,w4g64,w4g64-sym,w8,w2-seq,w1.58,w8-syma8" },
    formats: { type: "string", default: "gptq,awq,compressed-tensors,mlx" },
  },
});
const [folder, model = new URL("../../builtin/model", import.meta.url).pathname] = positionals;
if (!folder) throw new Error("usage: node tools/interop/samples.mjs FOLDER [MODEL]");

for (const scheme of values.schemes.split(",")) {
  const place = join(folder, scheme);
  const packed = join(place, "packed");
  await mkdir(place, { recursive: true });
  const kept = { embedding: "f16", head: "f16" };
  if (!existsSync(packed)) await quantize(model, { method: "rtn", scheme, ...kept, out: packed });
  const own = join(place, "own.json");
  if (!existsSync(own)) await writeFile(own, JSON.stringify(await ownLogits(packed)));
  for (const format of values.formats.split(",")) {
    try {
      const asked = { format, out: join(place, format), overwrite: true, verify: true };
      await exportCheckpoint(packed, asked);
    } catch (error) {
      if (!(error instanceof UnsupportedError)) throw error;
      console.error(`${scheme}, ${format}: ${error.message}`);
    }
  }
}
