import { execFile } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import type { RunRecord } from "../../src/run/run-record.ts";
import { Prng } from "../../src/util/prng.ts";
import { type Benchmark, goal } from "../harness.ts";
import { billionShape, writeRandomCheckpoint } from "./random-checkpoint.ts";

const layers = Number(process.env["FEWBIT_BENCH_LAYERS"] ?? 22);
const goalGigabytes = 1.5;

/**
 * Peak memory and time of quantizing a random-weight 1.1 B Llama to w2g64 with GPTQ and 64 × 256
 * tokens, as a process of its own. FEWBIT_BENCH_LAYERS takes fewer layers: blocks are streamed, the
 * peak is the same.
 */
const benchmark: Benchmark = {
  name: "quantize-memory",
  title: `GPTQ of a 1.1 B Llama shape, ${layers} layers, w2g64, 64 × 256 tokens`,
  run: async (note) => {
    const directory = mkdtempSync(join(tmpdir(), "fewbit-bench-"));
    try {
      const model = join(directory, "model");
      const text = join(directory, "text.txt");
      const out = join(directory, "out");
      await writeRandomCheckpoint(model, billionShape(layers));
      const random = new Prng(2);
      const letters = Array.from({ length: 20_000 }, () => 97 + random.below(26));
      writeFileSync(text, String.fromCharCode(...letters));
      note("the checkpoint is written");
      const cli = fileURLToPath(new URL("../../src/cli/main.ts", import.meta.url));
      const what = ["--method", "gptq", "--scheme", "w2g64", "--calibration", text];
      const sizes = ["--samples", "64", "--window", "256", "--out", out, "--quiet"];
      const limits = { maxBuffer: 2 ** 26 };
      await promisify(execFile)(
        process.execPath,
        [cli, "quantize", model, ...what, ...sizes],
        limits,
      );
      const record = JSON.parse(readFileSync(join(out, "run.json"), "utf8")) as RunRecord;
      const gigabytes = (record.peakAnonymousBytes ?? record.peakMemoryBytes) / 1e9;
      return [
        {
          what: "peak anonymous memory",
          value: gigabytes,
          unit: "GB",
          goal: goal(gigabytes, goalGigabytes, "GB", true),
        },
        { what: "peak resident memory", value: record.peakMemoryBytes / 1e9, unit: "GB" },
        {
          what: `time, ${record.backend.threads} threads`,
          value: record.elapsedMs / 1000,
          unit: "s",
        },
        { what: "checkpoint", value: record.sourceBytes / 1e9, unit: "GB" },
        { what: "quantized", value: record.sizeBytes / 1e9, unit: "GB" },
      ];
    } finally {
      rmSync(directory, { recursive: true, force: true });
    }
  },
};
export default benchmark;
