/**
 * `npm start`: does the main job on a real model. Quantizes it in several ways, measures each
 * against the original, prints the table, writes it as a page with charts, and lets the original
 * and the best 2-bit model continue a text. Takes the built-in model unless told otherwise:
 *
 *   npm start -- [MODEL CALIBRATION-TEXT TEST-TEXT [TASK...]]
 */
import { mkdirSync, writeFileSync } from "node:fs";
import { basename, join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { exitCodeOf, formatError } from "../src/cli/errors.ts";
import { interruptible } from "../src/cli/interrupt.ts";
import { processIo } from "../src/cli/io.ts";
import { Terminal } from "../src/cli/terminal.ts";
import { generateText, type LanguageModel, load, version } from "../src/index.ts";
import type { ComparedVariant, Comparison, Sample } from "../src/report/comparison.ts";
import { formatComparisonPage } from "../src/report/comparison-page.ts";
import { formatComparisonTable } from "../src/report/comparison-table.ts";
import { formatDuration } from "../src/report/format.ts";
import { findInputs, type Inputs } from "./start/inputs.ts";
import { Measurement } from "./start/measurement.ts";
import { folderOf, variants } from "./start/variants.ts";

const root = fileURLToPath(new URL("..", import.meta.url));
const sampleTokens = 40;

async function main(terminal: Terminal, inputs: Inputs, signal: AbortSignal): Promise<void> {
  const started = performance.now();
  const out = join(root, ".fewbit", "start");
  mkdirSync(out, { recursive: true });
  const original = await load(inputs.model, { signal });
  try {
    const measurement = new Measurement(terminal, inputs, original, signal);
    const { shipped } = inputs;
    const total = 1 + variants.length + shipped.length;
    terminal.notes([
      "",
      `  1/${total}  ${original.name}, the original: measured on ${inputs.tasks.length} tasks`,
    ]);
    const rows: { readonly path: string; readonly row: ComparedVariant }[] = [];
    const first = await measurement.original();
    for (const [index, variant] of variants.entries()) {
      const path = join(out, folderOf(variant));
      rows.push({ path, row: await measurement.make(variant, path, `${index + 2}/${total}`) });
    }
    for (const [index, checkpoint] of shipped.entries()) {
      const step = `${variants.length + index + 2}/${total}`;
      rows.push({ path: checkpoint.path, row: await measurement.shipped(checkpoint, step) });
    }
    const compared = [first, ...rows.map(({ row }) => row).sort((a, b) => b.bits - a.bits)];
    terminal.results(["", ...formatComparisonTable(compared, terminal.resultLayout), ""]);
    const samples = await writeSamples(original, bestOf(rows), inputs, terminal, signal);
    const page = join(out, "report.html");
    writeFileSync(page, formatComparisonPage(describe(original, inputs, compared, samples)));
    terminal.notes([
      `  done in ${formatDuration(performance.now() - started)}`,
      `  page with charts  ${shown(page)}`,
      `  checkpoints       ${shown(out)}`,
    ]);
  } finally {
    original.release();
  }
}

/** The 2-bit variant of the lowest perplexity. */
function bestOf(
  rows: readonly { readonly path: string; readonly row: ComparedVariant }[],
): { readonly path: string; readonly name: string } | null {
  const perplexity = ({ figures }: ComparedVariant): number =>
    figures.perplexity?.value ?? Infinity;
  const [best] = rows
    .filter(({ row }) => row.bits === 2)
    .sort((a, b) => perplexity(a.row) - perplexity(b.row));
  return best ? { path: best.path, name: best.row.figures.variant } : null;
}

async function writeSamples(
  original: LanguageModel,
  best: { readonly path: string; readonly name: string } | null,
  { prompts }: Inputs,
  terminal: Terminal,
  signal: AbortSignal,
): Promise<Sample[]> {
  const samples: Sample[] = [];
  const quantized = best && (await load(best.path, { signal }));
  for (const prompt of prompts) {
    for (const [model, variant] of [
      [original, original.name],
      [quantized, best?.name ?? ""],
    ] as const) {
      if (!model) continue;
      const { text } = await generateText(model, { prompt, maxTokens: sampleTokens, signal });
      const [continuation = ""] = text.split("\n");
      samples.push({ variant, prompt, continuation });
      terminal.results([`  ${variant}`, `    ${prompt}${continuation}`, ""]);
    }
  }
  quantized?.release();
  return samples;
}

function describe(
  original: LanguageModel,
  { test, calibration, tasks }: Inputs,
  compared: readonly ComparedVariant[],
  samples: readonly Sample[],
): Comparison {
  return {
    title: `${original.name}, from 16 bits down to 1`,
    introduction: [
      `Each row is the same model, its linear layers stored in fewer bits. Perplexity and KL divergence are ` +
        `those of ${basename(test)}; accuracy is the mean over ${tasks.length} multiple-choice tasks. ` +
        `Methods that look at text saw ${basename(calibration)}.`,
      `Made by fewbit ${version} on ${original.backend.id} (${original.backend.level}), ` +
        `${original.backend.threads} ${original.backend.threads === 1 ? "thread" : "threads"}.`,
    ],
    variants: compared,
    samples,
  };
}

function shown(path: string): string {
  return relative(process.cwd(), path) || ".";
}

const terminal = new Terminal(processIo());
const onward = { message: "stopped", hint: "npm start begins anew" };
try {
  const inputs = findInputs(root, process.argv.slice(2));
  await interruptible(terminal, onward, (signal) => main(terminal, inputs, signal));
} catch (error) {
  const debug = Boolean(process.env["FEWBIT_DEBUG"]);
  terminal.notes(formatError(error, { style: terminal.style, debug, command: undefined }));
  process.exitCode = exitCodeOf(error);
}
