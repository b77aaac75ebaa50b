import { element, escapeMarkup } from "../chart/svg.ts";
import { continuationLine } from "../continuation-line.ts";
import { printable } from "../format.ts";
import { wrapText } from "../wrap-text.ts";
import type { Sample } from "../../sweep/results/sweep-results.ts";
import type { SweepRow } from "./sweep-row.ts";

const shownBits = 2;
/** Prompts of a measurement that are shown where there are no samples. */
const shownPrompts = { terminal: 2, page: 4 };

/**
 * What a point wrote to be read: to the prompts of the recipe, or to the first ones that it is
 * measured on, as one line.
 */
function textsOf({ result }: SweepRow, place: "terminal" | "page"): readonly Sample[] | undefined {
  const measured = result?.generation?.continuations.slice(0, shownPrompts[place]);
  return (
    result?.samples ??
    measured?.map((written) => {
      const { prompt } = written;
      const line = continuationLine(written);
      // An answer does not continue the question's line.
      const isAnswer = /[.?!]$/.test(prompt) && /^\S/.test(line);
      return { prompt, continuation: isAnswer ? ` ${line}` : line };
    })
  );
}

/**
 * Shows, of each model, the texts that the original and the best point of 2 bits wrote: the one of
 * the lowest perplexity on the first text, or of the highest average accuracy.
 */
export function formatSamples(rows: readonly SweepRow[], width: number): string[] {
  const written = rows.filter((row) => textsOf(row, "terminal"));
  const models = [...new Set(written.map(({ record }) => record.point.model))];
  const shown = models.flatMap((model) => {
    const own = written.filter(({ record }) => record.point.model === model);
    const original = own.find(({ record }) => record.point.method === null);
    const few = own.filter(({ record }) => record.point.bits === shownBits);
    const [best] = few.sort((a, b) => faultOf(a) - faultOf(b));
    return [original, best].flatMap((row) => row ?? []);
  });
  return promptsOf(shown, "terminal").flatMap((prompt) =>
    shown.flatMap((row) => {
      const sample = textsOf(row, "terminal")?.find((each) => each.prompt === prompt);
      if (!sample) return [];
      const [text = ""] = `${prompt}${sample.continuation}`.split("\n");
      return ["", `  ${printable(row.name)}`, ...wrapText(printable(text), width, "    ")];
    }),
  );
}

/** What is the lower the better a point is. */
function faultOf({ result }: SweepRow): number {
  return result?.texts[0]?.perplexity ?? -(result?.averages[0]?.accuracy.mean ?? 0);
}

function promptsOf(rows: readonly SweepRow[], place: "terminal" | "page"): string[] {
  const samples = rows.flatMap((row) => textsOf(row, place) ?? []);
  return [...new Set(samples.map(({ prompt }) => prompt))];
}

/** Writes what all points made of each prompt as lists of HTML; empty where none was given. */
export function htmlSamples(rows: readonly SweepRow[]): string {
  const listOf = (prompt: string): string => {
    const entries = rows.flatMap((row) => {
      const sample = textsOf(row, "page")?.find((each) => each.prompt === prompt);
      if (!sample) return [];
      return [
        element("dt", {}, [escapeMarkup(row.name)]),
        element("dd", {}, [escapeMarkup(sample.continuation.trim())]),
      ];
    });
    return element("h3", {}, [escapeMarkup(prompt)]) + element("dl", { class: "samples" }, entries);
  };
  return promptsOf(rows, "page").map(listOf).join("\n");
}
