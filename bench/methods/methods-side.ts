/**
 * Our side of methods.bench.ts: answers each line on standard input, the options of `quantize` in
 * JSON, with `{ seconds }` of processor time that the whole run took; at the end of the input with
 * `{ peakBytes }`.
 *
 *     node methods-side.ts CHECKPOINT OUT
 */
import { createInterface } from "node:readline";
import { quantize } from "../../src/index.ts";
import { memoryUsage } from "../../src/platform/node.ts";
import type { MethodCase } from "./method-cases.ts";

const [model, out] = process.argv.slice(2);
const say = (value: unknown): void => void process.stdout.write(`${JSON.stringify(value)}\n`);
say({ ready: true });
for await (const line of createInterface({ input: process.stdin })) {
  const options = JSON.parse(line) as MethodCase["options"];
  const before = process.cpuUsage();
  await quantize(model, { ...options, out, overwrite: true, resume: "restart", threads: 1 });
  const { user, system } = process.cpuUsage(before);
  say({ seconds: (user + system) / 1e6 });
}
say({ peakBytes: memoryUsage().peakResidentBytes });
