import { copyFileSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { createReferenceBackend } from "../../src/kernels/reference/index.ts";
import {
  type ExportFormatId,
  exportFormats,
  type ExportResult,
  formats,
} from "../../src/quantize/export/index.ts";
import { exportCheckpoint } from "../../src/quantize/export-checkpoint.ts";
import { NumericError, UnsupportedError } from "../../src/util/errors.ts";
import { exportedSchemes, spreadWeight } from "../fixtures/spread-weight.ts";
import { writeTinyCheckpoint } from "../golden/tiny-checkpoint.ts";

const backend = createReferenceBackend();
const folder = mkdtempSync(join(tmpdir(), "fewbit-matrix-"));
afterAll(() => rmSync(folder, { recursive: true }));

/** Formats that have codes: decoded weights are the same under every scheme. */
const coded = exportFormats.filter((id) => id !== "hf");
const config = {
  hidden_size: 256,
  intermediate_size: 256,
  num_hidden_layers: 1,
  vocab_size: 1536,
};
/** A tokenizer with a token for every byte, as GGUF files need one. */
const tokenizer = new URL("../../builtin/model/", import.meta.url).pathname;
/** Each scheme, and what becomes of it in each format. */
const rows = new Map<string, string[]>();

function isRounded(result: ExportResult): boolean {
  if ("roundedBiases" in result) return result.roundedBiases > 0;
  if ("rounded" in result) return result.rounded > 0;
  return "loss" in result && result.loss !== null;
}

/** Says whether a format holds a checkpoint, of which all linears are of one scheme. */
async function fateOf(directory: string, format: ExportFormatId): Promise<string> {
  const attempt = async (options: object): Promise<ExportResult | null> => {
    try {
      const asked = { format, out: join(folder, `${format}.gguf`), overwrite: true, ...options };
      return await exportCheckpoint({ directory, backend }, asked);
    } catch (error) {
      if (error instanceof UnsupportedError || error instanceof NumericError) return null;
      throw error;
    }
  };
  const plain = await attempt({});
  if (plain) return isRounded(plain) ? "rounded" : "exact";
  const canRound = formats[format].takes.some((each) => each === "requantize");
  return canRound && (await attempt({ requantize: true })) ? "`--requantize`" : "refused";
}

beforeAll(async () => {
  for (const scheme of exportedSchemes) {
    const tiny = await writeTinyCheckpoint({
      scheme,
      config,
      fitting: true,
      pack: (_, { id }, outFeatures, inFeatures) => spreadWeight(id, outFeatures, inFeatures),
    });
    for (const name of ["tokenizer.json", "tokenizer_config.json"]) {
      copyFileSync(join(tokenizer, name), join(tiny.path, name));
    }
    const fates: string[] = [];
    for (const format of coded) fates.push(await fateOf(tiny.path, format));
    rows.set(scheme, fates);
    await tiny.remove();
  }
});

test.each(["docs/formats.md", "FEATURES.md"])("%s has the matrix as exports have it", (name) => {
  const lines = [...rows].map(([id, fates]) => `| \`${id}\` | ${fates.join(" | ")} |`);
  const head = [`| scheme | ${coded.join(" | ")} |`, `|---|${"---|".repeat(coded.length)}`];
  const page = readFileSync(new URL(`../../${name}`, import.meta.url), "utf8");
  expect(page).toContain([...head, ...lines].join("\n"));
});
