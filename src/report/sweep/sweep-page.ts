import type { SweepResults } from "../../pipeline/sweep/sweep-results.ts";
import { sha256 } from "../../platform/node.ts";
import { chartLayout, drawChart } from "../chart/draw-chart.ts";
import { element, escapeMarkup } from "../chart/svg.ts";
import { writePageScript } from "./page/page-script.ts";
import type { PageData } from "./page/page-state.ts";
import type { SweepView } from "./page/sweep-view.ts";
import type { ViewChart } from "./sweep-charts.ts";
import { factsOf, failuresOf, unfinishedOf } from "./sweep-account.ts";
import type { SweepRow } from "./sweep-row.ts";
import { sweepStyle } from "./sweep-style.ts";
import { htmlTable } from "./sweep-table.ts";

/** What a page shows. */
export interface SweepPage {
  readonly title: string;
  readonly results: SweepResults;
  readonly rows: readonly SweepRow[];
  /** Sentences that say what was found, the weightiest first. */
  readonly findings: readonly string[];
  readonly view: SweepView;
  readonly charts: readonly ViewChart[];
  /** Rows that are the best at their size. */
  readonly best: ReadonlySet<string>;
}

/**
 * Writes a sweep as one page of HTML that needs nothing else. It can be read without its script, which adds
 * filters, the choice of axes, sorting and what is known of a point; the page's policy lets no other script
 * run and nothing be loaded.
 */
export function formatSweepPage(page: SweepPage): string {
  const { title } = page;
  const script = writePageScript();
  const policy = `default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-${base64Of(sha256(script))}'; base-uri 'none'; form-action 'none'`;
  const head = [
    '<meta charset="utf-8">',
    '<meta name="viewport" content="width=device-width, initial-scale=1">',
    '<meta name="color-scheme" content="light dark">',
    `<meta http-equiv="Content-Security-Policy" content="${policy}">`,
    element("title", {}, [escapeMarkup(title)]),
    `<style>${sweepStyle}</style>`,
  ];
  const body = [
    element("main", {}, ["\n", sectionsOf(page).filter(Boolean).join("\n"), "\n"]),
    // Less-than signs could end the element early.
    `<script id="data" type="application/json">${JSON.stringify(dataOf(page)).replaceAll("<", "\\u003c")}</script>`,
    `<script>${script}</script>`,
  ];
  const document = element("html", { lang: "en" }, [
    "\n",
    element("head", {}, ["\n", head.join("\n"), "\n"]),
    "\n",
    element("body", {}, ["\n", body.join("\n"), "\n"]),
    "\n",
  ]);
  return `<!doctype html>\n${document}\n`;
}

function sectionsOf({ title, results, rows, findings, charts, best }: SweepPage): string[] {
  const [main, ...others] = charts;
  return [
    element("h1", {}, [escapeMarkup(title)]),
    element("p", { class: "status" }, [escapeMarkup(factsOf(results)[0]?.text ?? "")]),
    formatFindings(findings),
    main ? mainFigure(main) : "",
    section("Other views", panels(others)),
    section("All figures", element("div", { id: "figures" }, [htmlTable(rows, best)])),
    section("How it was measured", formatFacts(results) + formatCommands(rows)),
    section("What failed", formatFailures(results)),
    section("Not done", formatUnfinished(results)),
  ];
}

/** What the script needs. */
function dataOf({ view, charts }: SweepPage): PageData {
  const entries = charts.map((chart) => {
    const { id, x, y } = chart;
    const layouts = { wide: chartLayout(chart, "wide"), narrow: chartLayout(chart, "narrow") };
    return [id, { x, y, layouts }] as const;
  });
  return { view, charts: Object.fromEntries(entries) };
}

function base64Of(hexadecimal: string): string {
  const bytes = hexadecimal.match(/../g)?.map((digits) => Number.parseInt(digits, 16)) ?? [];
  return btoa(String.fromCharCode(...bytes));
}

function section(title: string, content: string): string {
  if (content === "") return "";
  return `<section>${element("h2", {}, [escapeMarkup(title)])}\n${content}</section>`;
}

function formatFindings(findings: readonly string[]): string {
  if (findings.length === 0) return "";
  const items = findings.map((finding) => element("li", {}, [escapeMarkup(finding)]));
  return element("ul", { class: "findings" }, items);
}

/** The chart that people come for, with what the script puts above it. */
function mainFigure(chart: ViewChart): string {
  const figure = element("figure", { "data-chart": chart.id }, [
    element("div", { id: "axes", class: "axes" }),
    drawChart(chart, "wide"),
    drawChart(chart, "narrow"),
  ]);
  return section(chart.title, element("div", { id: "filters" }) + figure);
}

function panels(charts: readonly ViewChart[]): string {
  if (charts.length === 0) return "";
  const figures = charts.map((chart) =>
    element("figure", { "data-chart": chart.id }, [
      element("h3", {}, [escapeMarkup(chart.title)]),
      drawChart(chart, "narrow"),
    ]),
  );
  return element("div", { class: "panels" }, figures);
}

function formatFacts(results: SweepResults): string {
  const facts = factsOf(results).map(
    ({ name, text }) =>
      element("dt", {}, [escapeMarkup(name)]) + element("dd", {}, [escapeMarkup(text)]),
  );
  return element("dl", {}, facts);
}

function formatCommands(rows: readonly SweepRow[]): string {
  const commands = rows.flatMap(({ record }) => (record.command === null ? [] : [record.command]));
  if (commands.length === 0) return "";
  return element("details", {}, [
    element("summary", {}, ["Commands that make each point again"]),
    element("pre", {}, [escapeMarkup(commands.join("\n"))]),
  ]);
}

function formatFailures(results: SweepResults): string {
  const items = failuresOf(results).map(({ record, message, hint }) =>
    element("li", {}, [
      element("b", {}, [escapeMarkup(`${record.point.model} ${record.point.label}`)]),
      escapeMarkup(message),
      ...(hint === null ? [] : ["<br>", element("span", { class: "hint" }, [escapeMarkup(hint)])]),
    ]),
  );
  return items.length === 0 ? "" : element("ul", { class: "failures" }, items);
}

function formatUnfinished(results: SweepResults): string {
  const names = unfinishedOf(results).map(({ point }) => `${point.model} ${point.label}`);
  return names.length === 0 ? "" : element("p", {}, [escapeMarkup(names.join(", "))]);
}
