import { describe, expect, test } from "vitest";
import { makeSweepResults } from "../../../test/fixtures/sweep-results.ts";
import { drawStandaloneChart } from "../chart/draw-chart.ts";
import { chartsOf, describeSweep } from "./describe-sweep.ts";
import {
  compactResults,
  formatResultsJson,
  parseResultsJson,
} from "../../sweep/results/results-json.ts";
import { formatSweepCsv } from "./sweep-csv.ts";
import { formatSweepMarkdown } from "./sweep-markdown.ts";
import { formatSweepPage } from "./sweep-page.ts";
import { plainStyle } from "../style.ts";
import { makeSweepRows } from "./sweep-row.ts";
import { formatSamples } from "./sweep-samples.ts";
import { formatSweepTable } from "./sweep-table.ts";

const failed = "tiny-2m rtn w2g64";
const waiting = "tiny-5m svid+onebit-kd w1-onebit";
const results = makeSweepResults({ failed: [failed], waiting: [waiting] });
const sweep = describeSweep(results);
const page = formatSweepPage(sweep);

describe("the page of a sweep", () => {
  test("has a row for each point, and a mark in each chart for each that was measured", () => {
    for (const { id, result } of sweep.rows) {
      expect(page.split(`data-point="${id}"`).length - 1 > 1).toBe(result !== null);
    }
  });

  test("shows failed points as failed and waiting ones as not done", () => {
    expect(page).toMatch(/class="[^"]*failed[^"]*"[^>]*>.*2m rtn w2g64.*<td>failed<\/td>/);
    expect(page).toMatch(/5m svid\+onebit-kd w1-onebit.*<td>not done<\/td>/);
    expect(page).toContain("not positive definite");
    expect(page).toContain("raise --damping");
  });

  test("needs nothing from elsewhere", () => {
    const addresses = page.replaceAll("http://www.w3.org/2000/svg", "");
    expect(addresses).not.toMatch(/https?:|url\(|@import|<link|<img|src=|href=/);
    expect(page.split("<script")).toHaveLength(3);
  });

  test("follows the reader's light or dark scheme", () => {
    expect(page).toContain("prefers-color-scheme: dark");
  });

  test("shows what the points wrote behind each prompt, as text; nothing where they wrote nothing", () => {
    const prompt = 'Tom said "yes" & <no>';
    const samples = [{ prompt, continuation: " and <left>." }];
    const points = results.points.map((record) => ({
      ...record,
      result: record.result && { ...record.result, samples },
    }));
    const written = formatSweepPage(describeSweep({ ...results, points }));
    expect(written).toContain("<h3>Tom said &quot;yes&quot; &amp; &lt;no&gt;</h3>");
    const done = points.filter(({ result }) => result).length;
    expect(written.split("<dd>and &lt;left&gt;.</dd>")).toHaveLength(1 + done);
    expect(page).not.toContain("What they write");
  });

  test("closes every element that it opens", () => {
    const open: string[] = [];
    // Within a script a less-than sign begins no element.
    const elements = page.replaceAll(/(?<=<script[^>]*>)[^<]*(?:<(?!\/script>)[^<]*)*/g, "");
    for (const [, closing, name = "", rest = ""] of elements.matchAll(
      /<(\/?)([a-z]\w*)([^>]*)>/g,
    )) {
      if (["meta", "br"].includes(name) || rest.endsWith("/")) continue;
      if (closing) expect(open.pop()).toBe(name);
      else open.push(name);
    }
    expect(open).toEqual([]);
  });
});

describe("files beside the page", () => {
  test("CSV has a line for each point, failed and waiting ones too", () => {
    const lines = formatSweepCsv(sweep.rows).trimEnd().split("\r\n");
    expect(lines).toHaveLength(1 + results.points.length);
    expect(lines.filter((line) => line.includes(",failed,"))).toHaveLength(1);
    expect(lines.filter((line) => line.includes(",waiting,"))).toHaveLength(1);
  });

  test("CSV lets no spreadsheet compute a text", () => {
    const named = makeSweepResults({ models: [["=1+1", 300_000]] });
    const lines = formatSweepCsv(describeSweep(named).rows).split("\r\n");
    expect(lines[1]?.startsWith("'=1+1,")).toBe(true);
  });

  test("Markdown has the table and what failed", () => {
    const text = formatSweepMarkdown(sweep);
    expect(text).toMatch(/^\| 2m rtn w2g64 \| failed \|/m);
    expect(text).toMatch(/^- \*\*tiny-2m rtn w2g64\*\*: the Hessian/m);
    expect(text).toContain("![Perplexity and size](quality-size.svg)");
  });

  test("a report made from the JSON of a report is the same report", () => {
    const small = { models: [["one", 300_000]], methods: [["gptq", ["w4g64", "w2g64"]]] } as const;
    const compact = compactResults(makeSweepResults(small));
    const again = parseResultsJson(formatResultsJson(compact), "results.json");
    expect(again).toEqual(compact);
    expect(formatSweepPage(describeSweep(compactResults(again)))).toBe(
      formatSweepPage(describeSweep(compact)),
    );
  });
});

describe("results that are not whole are refused with what is wrong", () => {
  const text = formatResultsJson(compactResults(results));
  const changed = (change: (value: { format: number; points: unknown[] }) => void): string => {
    const value = JSON.parse(text) as { format: number; points: unknown[] };
    change(value);
    return JSON.stringify(value);
  };

  test.each([
    ["no JSON", "{", /^results.json is not JSON/],
    ["another document", '{"a": 1}', /holds no results/],
    ["another version", changed((value) => void (value.format = 9)), /has format 9, .* reads 1$/],
    [
      "a point without a name",
      changed(({ points }) => void (points[2] = { point: {} })),
      /^point 3 of .*point\.id/,
    ],
    [
      "a point without figures",
      changed(({ points }) => {
        points[0] = { ...(points[0] as object), result: {} };
      }),
      /^point 1 of .*result\.parameters/,
    ],
  ])("%s", (_, content, message) => {
    expect(() => parseResultsJson(content, "results.json")).toThrow(message);
  });
});

test("a model named like a script is text in every file", () => {
  const evil = "</script><script>alert(1)</script>";
  const named = describeSweep(makeSweepResults({ models: [[evil, 300_000]], name: evil }));
  const html = formatSweepPage(named);
  expect(html.split(/<script/)).toHaveLength(3);
  expect(html.split(/<\/script>/)).toHaveLength(3);
  expect(html).not.toContain("<script>alert");
  expect(formatSweepMarkdown(named)).not.toContain("<script>");
  for (const chart of chartsOf(named)) expect(drawStandaloneChart(chart)).not.toContain("<script>");
});

test("a sweep of which nothing is done yet makes a page too", () => {
  const none = { models: [["one", 300_000]], methods: [["gptq", ["w4g64"]]] } as const;
  const empty = describeSweep(
    makeSweepResults({ ...none, waiting: ["one original", "one gptq w4g64"] }),
  );
  expect(empty.main).toBeNull();
  expect(formatSweepPage(empty)).toContain("0 of 2 measured, 2 not done");
});

test("the table has a row for each point, and samples are those of originals and the best of 2 bits", () => {
  const layout = { width: 140, style: plainStyle };
  expect(formatSweepTable(sweep.rows, layout)).toHaveLength(1 + results.points.length);
  expect(formatSamples(sweep.rows, layout.width)).toEqual([]);
  const points = results.points.map((record) => {
    const samples = [{ prompt: "It was", continuation: ` ${record.point.label}.\nNext` }];
    return { ...record, result: record.result && { ...record.result, samples } };
  });
  const lines = formatSamples(makeSweepRows({ ...results, points }), layout.width);
  expect(lines.slice(0, 6)).toEqual([
    "",
    "  5m original",
    "    It was original.",
    "",
    "  5m paretoq w2-seq",
    "    It was paretoq w2-seq.",
  ]);
  expect(lines).toHaveLength(4 * 2 * 3);
});
