/**
 * Quantizes models of families that fewbit does not run, and prints a Markdown table of what
 * transformers finds when it loads their decoded weights.
 *
 *   npm run generic
 *
 * Needs a Python with torch and transformers: $FEWBIT_PYTHON, or python3. Models are tiny and random.
 */
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { exportCheckpoint, quantize } from "../src/index.ts";

/** What transformers says of a decoded model. */
interface Comparison {
  readonly name: string;
  readonly missing: number;
  readonly unexpected: number;
  /** The most that a logit is off, and the largest of the original. */
  readonly deviation: number;
  readonly largest: number;
}

const script = fileURLToPath(new URL("./reference/foreign_models.py", import.meta.url));
const folder = mkdtempSync(join(tmpdir(), "fewbit-generic-"));

function ask(what: "make" | "compare"): string[] {
  const python = process.env["FEWBIT_PYTHON"] ?? "python3";
  const stdio: ["ignore", "pipe", "ignore"] = ["ignore", "pipe", "ignore"];
  const text = execFileSync(python, [script, what, folder], { encoding: "utf8", stdio });
  return text.trim().split("\n");
}

try {
  const layers = new Map<string, number>();
  for (const name of ask("make")) {
    const out = join(folder, `${name}-packed`);
    const how = { method: "rtn", scheme: "w8g32", generic: true } as const;
    const { record } = await quantize(join(folder, name), { ...how, out });
    layers.set(name, record.linears.length);
    await exportCheckpoint(out, { format: "hf", out: join(folder, `${name}-decoded`) });
  }
  console.log(
    "| model type | weights quantized | missing, unexpected | logits at most off | largest |",
  );
  console.log("|---|---|---|---|---|");
  for (const line of ask("compare")) {
    const { name, missing, unexpected, deviation, largest } = JSON.parse(line) as Comparison;
    const figures = [deviation.toPrecision(2), largest.toPrecision(3)];
    const cells = [`\`${name}\``, layers.get(name), `${missing}, ${unexpected}`, ...figures];
    console.log(`| ${cells.join(" | ")} |`);
  }
} finally {
  rmSync(folder, { recursive: true });
}
