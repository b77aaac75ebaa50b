import { execFile } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import type { Plan, RunRecord } from "../../src/index.ts";
import type { Benchmark, Row } from "../harness.ts";

const execute = promisify(execFile);
const model = resolve(process.env["FEWBIT_BENCH_MODEL"] ?? ".fewbit/smollm2/model");
const text = resolve(process.env["FEWBIT_BENCH_TEXT"] ?? "../shared/data/text/prose/train.txt");
const samples = process.env["FEWBIT_BENCH_SAMPLES"] ?? "32";
const only = process.env["FEWBIT_BENCH_METHODS"]?.split(",");
const root = new URL("../../", import.meta.url);

/** How far a planned time may be from what it took, and memory above what was resident. */
const mostOff = 0.25;
const mostMemory = 1.3;

const data = ["--calibration", text, "--samples", samples, "--window", "512"];

/** What is planned and then done, as the command is asked for it. */
const works: Readonly<Record<string, readonly string[]>> = {
  rtn: ["--method", "rtn", "--scheme", "w4g64"],
  hqq: ["--method", "hqq", "--scheme", "w4g64-floatzero"],
  gptq: ["--method", "gptq", "--scheme", "w4g64", ...data],
  awq: ["--method", "gptq", "--transform", "awq", "--scheme", "w4g64", ...data],
  "auto-round": ["--method", "auto-round", "--scheme", "w2g64", ...data],
  efficientqat: ["--preset", "efficientqat", "--scheme", "w2g64", ...data],
};

/**
 * Time and memory that `--dry-run` plans, right before a run as it is published, over what the run
 * takes: by the clock, and resident at the peak, pages of the mapped model included.
 */
const benchmark: Benchmark = {
  name: "estimates",
  title: `planned over measured, ${samples} × 512 tokens`,
  run: async (note) => {
    const folder = mkdtempSync(join(tmpdir(), "fewbit-bench-"));
    try {
      await execute(process.execPath, [fileURLToPath(new URL("tools/build.mjs", root))]);
      const rows: Row[] = [];
      for (const [name, flags] of Object.entries(works)) {
        if (only && !only.includes(name)) continue;
        const found = await compare(flags, join(folder, "out"));
        rows.push(...rowsOf(name, found));
        note(
          rows
            .slice(-2)
            .map(({ what, detail }) => `${what}: ${detail}`)
            .join("; "),
        );
      }
      return rows;
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  },
};
export default benchmark;

interface Compared {
  readonly planned: Plan["estimate"];
  readonly seconds: number;
  readonly memoryBytes: number;
}

async function compare(flags: readonly string[], out: string): Promise<Compared> {
  const cli = fileURLToPath(new URL("dist/cli/main.js", root));
  const words = [cli, "quantize", model, ...flags, "--out", out, "--overwrite"];
  const limits = { maxBuffer: 2 ** 26 };
  const dry = await execute(process.execPath, [...words, "--dry-run", "--json"], limits);
  const { estimate: planned } = JSON.parse(dry.stdout) as Plan;
  await execute(process.execPath, [...words, "--quiet"], limits);
  const record = JSON.parse(readFileSync(join(out, "run.json"), "utf8")) as RunRecord;
  return { planned, seconds: record.elapsedMs / 1000, memoryBytes: record.peakMemoryBytes };
}

function rowsOf(name: string, { planned, seconds, memoryBytes }: Compared): Row[] {
  const time = planned.seconds / seconds;
  const memory = planned.memoryBytes / memoryBytes;
  const megabytes = [planned.memoryBytes, memoryBytes].map((bytes) => (bytes / 1e6).toFixed(0));
  return [
    {
      what: `${name}: time, planned over measured`,
      value: time,
      unit: "×",
      goal: {
        text: `${1 - mostOff} to ${1 + mostOff} ×`,
        met: Math.abs(time - 1) <= mostOff,
      },
      detail: `${planned.seconds.toFixed(1)} s over ${seconds.toFixed(1)} s`,
    },
    {
      what: `${name}: memory, planned over resident`,
      value: memory,
      unit: "×",
      goal: { text: `1 to ${mostMemory} ×`, met: memory >= 1 && memory <= mostMemory },
      detail: `${megabytes[0]} MB over ${megabytes[1]} MB`,
    },
  ];
}
