/**
 * Runs the benchmarks: `npm run bench`, or `npm run bench -- gemm gptq` for some of them. Each
 * prints a table and writes bench/results/<name>.json. Nothing else should run on the machine
 * meanwhile.
 */
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { type Benchmark, formatRows, saveResult } from "./harness.ts";

const root = fileURLToPath(new URL(".", import.meta.url));
const wanted = process.argv.slice(2);
const json = wanted.includes("--json");
const names = wanted.filter((word) => word !== "--json");

const files = readdirSync(root, { recursive: true, encoding: "utf8" })
  .filter((file) => file.endsWith(".bench.ts"))
  .sort();
const found: Benchmark[] = [];
for (const file of files) {
  const module = (await import(join(root, file))) as { default: Benchmark };
  found.push(module.default);
}
const unknown = names.filter((name) => !found.some((benchmark) => benchmark.name === name));
if (unknown.length > 0) {
  const known = found.map(({ name }) => name).join(", ");
  process.stderr.write(`error  no benchmark ${unknown.join(", ")}\n       there are ${known}\n`);
  process.exit(2);
}
const results: Record<string, unknown> = {};
for (const benchmark of found) {
  if (names.length > 0 && !names.includes(benchmark.name)) continue;
  process.stderr.write(`\n  ${benchmark.title}\n`);
  const rows = await benchmark.run((line) => process.stderr.write(`  ${line}\n`));
  results[benchmark.name] = rows;
  if (!json) process.stdout.write(`\n${formatRows(rows).join("\n")}\n`);
  process.stderr.write(`\n  written to ${saveResult(benchmark, rows)}\n`);
}
if (json) process.stdout.write(`${JSON.stringify(results, null, 2)}\n`);
