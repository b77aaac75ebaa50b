import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, expect, test } from "vitest";
import { type QuantizeOptions, quantize } from "../index.ts";

const model = fileURLToPath(new URL("../../builtin/model", import.meta.url));
const calibration = fileURLToPath(new URL("../../builtin/text/calibration.txt", import.meta.url));
let folder = "";

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "fewbit-shared-"));
});
afterEach(() => rmSync(folder, { recursive: true }));

async function weights(out: string, more: Partial<QuantizeOptions>): Promise<Buffer> {
  const path = join(folder, out);
  const options = { method: "gptq", scheme: "w4g64", calibration, samples: 2, window: 32 } as const;
  await quantize(model, { ...options, ...more, out: path } as QuantizeOptions);
  return readFileSync(join(path, "model.safetensors"));
}

test("runs that share a folder tokenise equal text once, and end with the same bytes", async () => {
  const sharedFolder = join(folder, "shared");
  const alone = await weights("alone", {});
  expect((await weights("first", { sharedFolder })).equals(alone)).toBe(true);
  const [kept = ""] = readdirSync(sharedFolder);
  expect((await weights("second", { sharedFolder })).equals(alone)).toBe(true);
  await weights("other-scheme", { sharedFolder, scheme: "w2g64" });
  expect(readdirSync(sharedFolder)).toEqual([kept]);
  await weights("other-text", { sharedFolder, samples: 3 });
  expect(readdirSync(sharedFolder)).toHaveLength(2);
  // What is kept is what is used.
  const changed = JSON.parse(readFileSync(join(sharedFolder, kept), "utf8"));
  for (const row of changed.windows) row.fill(7);
  writeFileSync(join(sharedFolder, kept), JSON.stringify(changed));
  expect((await weights("third", { sharedFolder })).equals(alone)).toBe(false);
});
