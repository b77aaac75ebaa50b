import { describe, expect, test } from "vitest";
import { makeSweepResults } from "../../../test/fixtures/sweep-results.ts";
import { figures } from "../../evaluation/figures.ts";
import type { PointRecord } from "../../sweep/results/sweep-results.ts";
import {
  compactResults,
  formatResultsJson,
  parseResultsJson,
} from "../../sweep/results/results-json.ts";
import { formatFigure } from "../format-figure.ts";
import { plainStyle } from "../style.ts";
import { chartsOf, describeSweep } from "./describe-sweep.ts";
import { formatSweepCsv } from "./sweep-csv.ts";
import { formatSweepMarkdown } from "./sweep-markdown.ts";
import { formatSweepPage } from "./sweep-page.ts";
import { formatSamples } from "./sweep-samples.ts";
import { formatSweepTable } from "./sweep-table.ts";

const models = [["tiny-2m", 2_000_000]] as const;
const results = makeSweepResults({ models, prompts: 12 });
const sweep = describeSweep(results);
const repetitionOf = ({ result }: PointRecord): number => result?.generation?.repetition.mean ?? 0;
const original = results.points[0] as PointRecord;
const worst = [...results.points].sort((a, b) => repetitionOf(b) - repetitionOf(a))[0];

describe("a sweep whose points continued prompts", () => {
  test("says first which points repeat themselves far more than the original", () => {
    const found = sweep.findings.filter(({ kind }) => kind === "collapse");
    expect(found).toHaveLength(1);
    expect(sweep.findings.slice(0, 3)).toContain(found[0]);
    const share = formatFigure(figures.repetition, repetitionOf(worst));
    expect(found[0].text).toContain(`${worst.point.label} ${share}`);
    const own = formatFigure(figures.repetition, repetitionOf(original));
    expect(found[0].text).toContain(`what the original writes (repetition ${own}, `);
    expect(found[0].points).toContain(worst.point.id);
    for (const { point, result } of results.points) {
      const rise = (result?.generation?.repetition.mean ?? 0) - repetitionOf(original);
      if (rise < 0.1) expect(found[0].points).not.toContain(point.id);
    }
  });

  test("says nothing of a collapse where all write as the original does", () => {
    const points = results.points.map((record) => ({
      ...record,
      result: record.result && { ...record.result, ...original.result },
    }));
    const { findings } = describeSweep({ ...results, points: points as PointRecord[] });
    expect(findings.filter(({ kind }) => kind === "collapse")).toEqual([]);
  });

  test("has charts of repetition and of the divergence on the original's text over size", () => {
    const ids = chartsOf(sweep).map(({ id }) => id);
    expect(ids).toContain("repetition-size");
    expect(ids).toContain("continuation-size");
    const without = chartsOf(describeSweep(makeSweepResults({ models }))).map(({ id }) => id);
    expect(without).not.toContain("repetition-size");
  });

  test("shows the figures in tables, CSV, Markdown and the page, and what was written", () => {
    const table = formatSweepTable(sweep.rows, { width: 300, style: plainStyle });
    expect(table[0]).toMatch(/repetition +loops +KL in writing/);
    const [header = "", first = ""] = formatSweepCsv(sweep.rows).split("\r\n");
    const place = header.split(",").indexOf("repetition");
    expect(Number(first.split(",")[place])).toBe(repetitionOf(original));
    expect(formatSweepCsv(makeSweepRowsWithout())).not.toContain("repetition");
    expect(formatSweepMarkdown(sweep)).toContain("| repetition | loops | KL in writing |");
    const page = formatSweepPage(sweep);
    expect(page).toContain("<h3>Prompt 0</h3>");
    expect(page).toContain("12 of the set fewbit-1, continued greedily by at most 100 tokens");
    const texts = formatSamples(sweep.rows, 80).join("\n");
    expect(texts).toContain("Prompt 0text 0 of period");
  });

  test("keeps all of it in its JSON", () => {
    const read = parseResultsJson(formatResultsJson(compactResults(results)), "results.json");
    expect(read.points.map(({ result }) => result?.generation)).toEqual(
      results.points.map(({ result }) => result?.generation),
    );
  });

  test("refuses a result whose figures are damaged", () => {
    const text = formatResultsJson(results).replace(
      '"repetition":{"mean":',
      '"repetition":{"men":',
    );
    expect(() => parseResultsJson(text, "results.json")).toThrow(
      /result\.generation\.repetition\.mean/,
    );
  });
});

function makeSweepRowsWithout(): ReturnType<typeof describeSweep>["rows"] {
  return describeSweep(makeSweepResults({ models })).rows;
}
