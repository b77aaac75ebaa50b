import { createHash } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { exportCheckpoint, load, quantize } from "../../src/index.ts";
import { keptTables } from "../fixtures/kept-tables.ts";

/** What `tools/interop/read_containers.py --golden` wrote: a directory in its real reader. */
interface ReadContainer {
  readonly scheme: string;
  readonly format: "gptq" | "awq" | "compressed-tensors" | "mlx";
  readonly reader: string;
  /** What the reader computed in. */
  readonly dtype: "float32" | "float16";
  readonly sameGreedy: boolean;
  /** Of a logit from those of fewbit's exact evaluation, over the largest. */
  readonly largestDifference: number;
  /** SHA-256 of model.safetensors, and of config.json. */
  readonly weights: string;
  readonly config: string;
  /** The reader's first logits behind the last token. */
  readonly lastLogits: readonly number[];
  readonly largestLogit: number;
}

const answers = JSON.parse(readFileSync(new URL("readers.json", import.meta.url), "utf8")) as {
  readonly ids: readonly number[];
  readonly read: readonly ReadContainer[];
};
const model = new URL("../../builtin/model", import.meta.url).pathname;
const folder = mkdtempSync(join(tmpdir(), "fewbit-readers-"));
afterAll(() => rmSync(folder, { recursive: true }));

const packed = (scheme: string): string => join(folder, scheme);
const exported = ({ scheme, format }: ReadContainer): string => join(folder, `${scheme}-${format}`);
const hashOf = (path: string): string =>
  createHash("sha256").update(readFileSync(path)).digest("hex");

beforeAll(async () => {
  const schemes = new Set(answers.read.map(({ scheme }) => scheme));
  for (const scheme of schemes) {
    await quantize(model, { method: "rtn", scheme, ...keptTables, out: packed(scheme) });
  }
  const kinds = new Map(answers.read.map((each) => [exported(each), each]));
  for (const [out, { scheme, format }] of kinds) {
    await exportCheckpoint(packed(scheme), { format, out });
  }
});

test.each(answers.read)(
  "$scheme as $format is, to the byte, what $reader read",
  ({ weights, config, ...read }) => {
    const out = exported({ weights, config, ...read });
    expect(hashOf(join(out, "model.safetensors"))).toBe(weights);
    expect(hashOf(join(out, "config.json"))).toBe(config);
    expect(read.sameGreedy || read.dtype === "float16").toBe(true);
  },
);

test.each(answers.read)(
  "$scheme as $format, read again, has the logits of $reader",
  async (answer) => {
    const opened = await load(exported(answer));
    const logits = await opened.logits(opened.hiddenStates(opened.tokens([answers.ids]))).read();
    opened.release();
    const last = logits.subarray((logits.length / answers.ids.length) * (answers.ids.length - 1));
    const allowed = (answer.largestDifference + 1e-5) * answer.largestLogit;
    for (const [i, value] of answer.lastLogits.entries()) {
      expect(Math.abs(last[i] - value)).toBeLessThanOrEqual(allowed);
    }
  },
);
