/**
 * `npm start`: does the main job on a real model. Quantizes it several ways, measures each against the
 * original, prints the table, and lets the original and the best 2-bit model continue a text.
 *
 *   npm start -- [MODEL CALIBRATION-TEXT TEST-TEXT]
 */
import { existsSync, mkdirSync } from "node:fs";
import { basename, join, relative, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { exitCodeOf, formatError } from "../src/cli/errors.ts";
import { interruptible } from "../src/cli/interrupt.ts";
import { processIo } from "../src/cli/io.ts";
import { QuantizationProgress } from "../src/cli/quantization-progress.ts";
import { Terminal } from "../src/cli/terminal.ts";
import { evaluate, generateText, load, quantize } from "../src/index.ts";
import { originalFigures, variantFigures } from "../src/report/evaluation-figures.ts";
import { formatEvaluationTable, type VariantFigures } from "../src/report/evaluation-table.ts";
import { formatDuration, formatNumber } from "../src/report/format.ts";
import { UsageError } from "../src/util/errors.ts";

const root = fileURLToPath(new URL("..", import.meta.url));
const shared = join(root, "..", "shared", "data");
const window = 256;
const calibrationWindows = 64;
const testWindows = 64;
const prompt = "It was a cold morning in the village, and";

/** What is tried, from most to fewest bits. */
const variants = [
  { method: "rtn", scheme: "w4g64" },
  { method: "gptq", scheme: "w4g64" },
  { method: "gptq", scheme: "w3g64" },
  { method: "rtn", scheme: "w2g64" },
  { method: "gptq", scheme: "w2g64" },
  { method: "gptq", scheme: "w1.58g64" },
] as const;

type Variant = (typeof variants)[number];

interface Inputs {
  readonly model: string;
  readonly calibration: string;
  readonly test: string;
}

function findInputs(words: readonly string[]): Inputs {
  const [model, calibration, test] = words;
  if (model && calibration && test) return { model, calibration, test };
  const standard = {
    model: join(shared, "models", "prose-6m"),
    calibration: join(shared, "text", "prose", "train.txt"),
    test: join(shared, "text", "prose", "test.txt"),
  };
  if (words.length === 0 && Object.values(standard).every(existsSync)) return standard;
  throw new UsageError("npm start needs a model and two texts", {
    hint: "npm start -- MODEL CALIBRATION-TEXT TEST-TEXT",
  });
}

async function main(terminal: Terminal, inputs: Inputs, signal: AbortSignal): Promise<void> {
  const started = performance.now();
  const out = join(root, ".fewbit", "start");
  mkdirSync(out, { recursive: true });
  const rows: { variant: Variant; path: string; figures: VariantFigures }[] = [];
  let original: VariantFigures | null = null;
  for (const variant of variants) {
    const path = join(out, `${basename(inputs.model)}-${variant.method}-${variant.scheme}`);
    terminal.notes(["", `  ${commandOf(variant, inputs, path)}`]);
    const seconds = await quantizeTo(path, variant, inputs, terminal, signal);
    const evaluation = await evaluate(path, {
      text: inputs.test,
      window,
      maxWindows: testWindows,
      against: inputs.model,
      signal,
    });
    original ??= originalFigures(evaluation);
    rows.push({
      variant,
      path,
      figures: variantFigures(evaluation, `${variant.method} ${variant.scheme}`),
    });
    const { perplexity } = evaluation;
    terminal.notes([
      `  perplexity ${formatNumber(perplexity, 4)} · quantized in ${formatDuration(1000 * seconds)}`,
    ]);
  }
  terminal.results([
    "",
    ...formatEvaluationTable(
      original,
      rows.map(({ figures }) => figures),
      terminal.resultLayout,
    ),
    "",
  ]);
  const best = rows
    .filter(({ variant }) => variant.scheme.startsWith("w2"))
    .reduce((a, b) =>
      (b.figures.perplexity?.value ?? 0) < (a.figures.perplexity?.value ?? 0) ? b : a,
    );
  for (const path of [inputs.model, best.path]) await showSample(terminal, path, signal);
  terminal.notes([
    "",
    `  done in ${formatDuration(performance.now() - started)}; the checkpoints are in ${relative(process.cwd(), out) || "."}`,
  ]);
}

async function quantizeTo(
  out: string,
  { method, scheme }: Variant,
  { model, calibration }: Inputs,
  terminal: Terminal,
  signal: AbortSignal,
): Promise<number> {
  const progress = new QuantizationProgress(terminal);
  const run = quantize(model, {
    method,
    scheme,
    out,
    overwrite: true,
    signal,
    ...(method === "gptq" && { calibration, samples: calibrationWindows, window }),
  });
  for await (const event of run.events) if (event.type !== "plan") progress.handle(event);
  return (await run).record.elapsedMs / 1000;
}

function commandOf(
  { method, scheme }: Variant,
  { model, calibration }: Inputs,
  out: string,
): string {
  const shown = (path: string): string => relative(process.cwd(), resolve(path));
  const data =
    method === "gptq"
      ? ` --calibration ${shown(calibration)} --samples ${calibrationWindows} --window ${window}`
      : "";
  return `fewbit quantize ${shown(model)} --method ${method} --scheme ${scheme}${data} --out ${shown(out)}`;
}

async function showSample(terminal: Terminal, path: string, signal: AbortSignal): Promise<void> {
  const model = await load(path);
  const { text } = await generateText(model, { prompt, maxTokens: 48, signal });
  model.release();
  terminal.results([`  ${basename(path)}`, `    ${prompt}${text.replaceAll("\n", " ")}`, ""]);
}

const terminal = new Terminal(processIo());
const onward = { message: "stopped", hint: "npm start begins anew" };
try {
  const inputs = findInputs(process.argv.slice(2));
  await interruptible(terminal, onward, (signal) => main(terminal, inputs, signal));
} catch (error) {
  const debug = Boolean(process.env["FEWBIT_DEBUG"]);
  terminal.notes(formatError(error, { style: terminal.style, debug, command: undefined }));
  process.exitCode = exitCodeOf(error);
}
