import { element, escapeMarkup } from "./chart/svg.ts";
import type { ComparedVariant, Comparison, Sample } from "./comparison.ts";
import { drawAccuracyChart, drawPerplexityChart } from "./comparison-charts.ts";
import { comparisonColumns } from "./comparison-columns.ts";
import { comparisonStyle } from "./comparison-style.ts";
import { formatPercentage } from "./format.ts";
import { colourClass } from "./palette.ts";

/**
 * Writes a comparison as one HTML page that needs nothing else: charts as SVG, tables, samples. It
 * follows the reader's light or dark scheme; rows of the table and points of the charts light up
 * together.
 */
export function formatComparisonPage(comparison: Comparison): string {
  const { title, introduction, variants, samples } = comparison;
  const sections = [
    element("h1", {}, [escapeMarkup(title)]),
    ...introduction.map((sentence) => element("p", {}, [escapeMarkup(sentence)])),
    figure("Accuracy and size", drawAccuracyChart(variants)),
    figure("Perplexity and size", drawPerplexityChart(variants)),
    section("All figures", figuresTable(variants)),
    section("Accuracy by task (chance in brackets)", tasksTable(variants)),
    section("What they write", samples.map(formatSample).join("\n")),
    section("Commands", formatCommands(variants)),
  ];
  const head = [
    '<meta charset="utf-8">',
    '<meta name="viewport" content="width=device-width, initial-scale=1">',
    '<meta name="color-scheme" content="light dark">',
    element("title", {}, [escapeMarkup(title)]),
    `<style>${comparisonStyle(variants.length)}</style>`,
  ];
  const page = element("html", { lang: "en" }, [
    "\n",
    element("head", {}, ["\n", head.join("\n"), "\n"]),
    "\n",
    element("body", {}, [element("main", {}, ["\n", sections.filter(Boolean).join("\n"), "\n"])]),
    "\n",
  ]);
  return `<!doctype html>\n${page}\n`;
}

function section(title: string, content: string): string {
  return content === "" ? "" : `${element("h2", {}, [escapeMarkup(title)])}\n${content}`;
}

function figure(title: string, svg: string): string {
  return section(title, svg === "" ? "" : element("figure", {}, [svg]));
}

function figuresTable(variants: readonly ComparedVariant[]): string {
  const columns = comparisonColumns(variants);
  return table(
    columns.map(({ header }) => header),
    variants,
    (variant) => columns.map(({ cell }) => cell(variant) ?? "–"),
  );
}

function tasksTable(variants: readonly ComparedVariant[]): string {
  const [first] = variants;
  const tasks = first?.tasks ?? [];
  if (tasks.length === 0) return "";
  const headers = tasks.map(({ name, chance }) => `${name} (${Math.round(100 * chance)} %)`);
  return table(headers, variants, (variant) =>
    tasks.map(({ name }) => {
      const score = variant.tasks.find((task) => task.name === name);
      return score ? formatPercentage(score.accuracy.mean) : "–";
    }),
  );
}

function table(
  headers: readonly string[],
  variants: readonly ComparedVariant[],
  cells: (variant: ComparedVariant) => readonly string[],
): string {
  const head = ["variant", ...headers].map((header) => element("th", {}, [escapeMarkup(header)]));
  const rows = variants.map((variant, index) => {
    const name = element("td", { class: `name ${colourClass(variant.bits)}` }, [
      element("span", { class: "swatch" }),
      escapeMarkup(variant.figures.variant),
    ]);
    const rest = cells(variant).map((cell) => element("td", {}, [escapeMarkup(cell)]));
    return element("tr", { "data-point": `p${index}` }, [name, ...rest]);
  });
  const content = element("table", {}, [
    element("thead", {}, [element("tr", {}, head)]),
    element("tbody", {}, ["\n", rows.join("\n"), "\n"]),
  ]);
  return element("div", { class: "wide" }, [content]);
}

function formatSample({ variant, prompt, continuation }: Sample): string {
  return element("blockquote", {}, [
    element("cite", {}, [escapeMarkup(variant)]),
    element("p", {}, [element("b", {}, [escapeMarkup(prompt)]), escapeMarkup(continuation)]),
  ]);
}

function formatCommands(variants: readonly ComparedVariant[]): string {
  const commands = variants.flatMap(({ command }) => (command === null ? [] : [command]));
  if (commands.length === 0) return "";
  return element("pre", {}, [escapeMarkup(commands.join("\n"))]);
}
