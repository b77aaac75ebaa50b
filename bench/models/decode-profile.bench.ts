import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import type { Benchmark, Row } from "../harness.ts";
import { runSide } from "./decode-measurement.ts";
import { makeFewbitSide } from "./decode-sides.ts";
import { billionShape } from "./random-checkpoint.ts";
import type { DecodeProfile } from "./fewbit-side.ts";

const layers = Number(process.env["FEWBIT_BENCH_LAYERS"] ?? 22);
const scheme = process.env["FEWBIT_BENCH_SCHEME"] ?? "w2g64";
const threadCounts = [1, 2];

/**
 * Where the time of a decode step goes on the executor thread, op by op, and how long it waits for
 * JavaScript between ops. An op's time includes its waiting for the other threads.
 */
const benchmark: Benchmark = {
  name: "decode-profile",
  title: `one decode step of a 1.1 B Llama shape, ${scheme}`,
  run: async (note) => {
    const folder = mkdtempSync(`${tmpdir()}/fewbit-bench-`);
    try {
      const { directory } = await makeFewbitSide(folder, scheme, billionShape(layers));
      const rows: Row[] = [];
      for (const threads of threadCounts) {
        const environment = { FEWBIT_THREADS: String(threads) };
        const words = ["profile", directory];
        rows.push(...profileRows(threads, await runSide("fewbit-side.ts", words, environment)));
        note(`${threads} thread${threads > 1 ? "s" : ""}: done`);
      }
      return rows;
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  },
};
export default benchmark;

function profileRows(threads: number, { steps, times }: DecodeProfile): Row[] {
  const at = `${threads} thread${threads > 1 ? "s" : ""}`;
  const total = times.reduce((sum, { nanoseconds }) => sum + nanoseconds, 0);
  const rows = times
    .toSorted((a, b) => b.nanoseconds - a.nanoseconds)
    .map(({ op, calls, nanoseconds }) => {
      const share = ((100 * nanoseconds) / total).toFixed(1);
      const count = Math.round(calls / steps);
      const what = `${at}: ${op}, ${count} times, ${share} %`;
      return { what, value: nanoseconds / 1000 / steps, unit: "µs" };
    });
  return [{ what: `${at}: a step`, value: total / 1000 / steps, unit: "µs" }, ...rows];
}
