import type { SweepResults } from "../../pipeline/sweep/sweep-results.ts";
import { type Chart, drawChart } from "../chart/draw-chart.ts";
import { element, escapeMarkup } from "../chart/svg.ts";
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
  readonly charts: readonly Chart[];
  /** Rows that are the best at their size. */
  readonly best: ReadonlySet<string>;
}

/** Writes a sweep as one page of HTML that needs nothing else. */
export function formatSweepPage(page: SweepPage): string {
  const { title, results, rows, charts, best } = page;
  const [main, ...others] = charts;
  const sections = [
    element("h1", {}, [escapeMarkup(title)]),
    element("p", { class: "status" }, [escapeMarkup(factsOf(results)[0]?.text ?? "")]),
    formatFindings(page.findings),
    main ? figureSection(main) : "",
    section("Other views", panels(others)),
    section("All figures", htmlTable(rows, best)),
    section("How it was measured", formatFacts(results) + formatCommands(rows)),
    section("What failed", formatFailures(results)),
    section("Not done", formatUnfinished(results)),
  ];
  const head = [
    '<meta charset="utf-8">',
    '<meta name="viewport" content="width=device-width, initial-scale=1">',
    '<meta name="color-scheme" content="light dark">',
    element("title", {}, [escapeMarkup(title)]),
    `<style>${sweepStyle}</style>`,
  ];
  const document = element("html", { lang: "en" }, [
    "\n",
    element("head", {}, ["\n", head.join("\n"), "\n"]),
    "\n",
    element("body", {}, [element("main", {}, ["\n", sections.filter(Boolean).join("\n"), "\n"])]),
    "\n",
  ]);
  return `<!doctype html>\n${document}\n`;
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

function figureSection(chart: Chart): string {
  const figure = element("figure", { "data-chart": chart.id }, [
    drawChart(chart, "wide"),
    drawChart(chart, "narrow"),
  ]);
  return section(chart.title, figure);
}

function panels(charts: readonly Chart[]): string {
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
