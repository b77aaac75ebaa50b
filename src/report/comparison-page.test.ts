import { describe, expect, test } from "vitest";
import type { TaskScore } from "../evaluation/tasks/task.ts";
import type { ComparedVariant, Comparison, Origin } from "./comparison.ts";
import { formatComparisonPage } from "./comparison-page.ts";
import { formatComparisonTable } from "./comparison-table.ts";
import { plainStyle } from "./style.ts";

const task = (mean: number): TaskScore => ({
  name: "where",
  items: 100,
  accuracy: { mean, standardError: 0.04 },
  normalizedAccuracy: { mean, standardError: 0.04 },
  chance: 0.25,
  accuracyAboveChance: (mean - 0.25) / 0.75,
  sha256: null,
  shots: 0,
  limited: false,
  perplexity: null,
  answers: [],
});

function variant(
  name: string,
  bits: number,
  origin: Origin,
  sizeBytes: number,
  accuracy: number,
): ComparedVariant {
  return {
    figures: {
      variant: name,
      bitsPerWeight: { linear: bits + 0.28, file: bits + 2 },
      sizeBytes,
      perplexity: { value: 2 + 4 / bits, halfWidth: 0.05 },
      klDivergence: origin === "original" ? null : 1 / bits,
      topTokenAgreement: null,
      accuracy,
      tokensPerSecond: 1000,
      peakMemoryBytes: null,
    },
    origin,
    bits,
    tasks: [task(accuracy)],
    elapsedMs: origin === "original" || origin === "shipped" ? null : 1500,
    command: origin === "original" ? null : `fewbit quantize ./model --out "./${name}"`,
  };
}

const comparison: Comparison = {
  title: "A <model> & its variants",
  introduction: ["Measured on a text."],
  variants: [
    variant("model", 16, "original", 2_760_000, 0.92),
    variant("rtn w4g64", 4, "computed", 1_030_000, 0.9),
    variant("gptq w3g64", 3, "computed", 880_000, 0.85),
    variant("gptq w2g64", 2, "computed", 733_000, 0.5),
    variant("efficientqat w2g64", 2, "trained", 734_000, 0.71),
    variant("onebit w1", 1, "shipped", 550_000, 0.62),
  ],
  samples: [{ variant: "model", prompt: 'Tom said "yes" & <no>', continuation: " and left." }],
};

describe("the page of a comparison", () => {
  const page = formatComparisonPage(comparison);

  test("needs nothing from elsewhere", () => {
    const addresses = page.replaceAll('xmlns="http://www.w3.org/2000/svg"', "");
    expect(addresses).not.toMatch(/https?:|\/\/\w|url\(|@import|<script|<link|<img|src=|href=/);
  });

  test("escapes names and texts", () => {
    expect(page).toContain("<h1>A &lt;model&gt; &amp; its variants</h1>");
    expect(page).toContain("Tom said &quot;yes&quot; &amp; &lt;no&gt;");
    expect(page).not.toContain("<no>");
  });

  test("has every variant in both charts, wide and narrow, and both tables, with its colour", () => {
    for (const [index, { figures }] of comparison.variants.entries()) {
      expect(page.split(` data-point="p${index}" transform`)).toHaveLength(5);
      expect(page.split(`<tr data-point="p${index}">`)).toHaveLength(3);
      expect(page).toContain(`>${figures.variant}</text>`);
    }
    expect(page).toContain('class="name bits-2"');
  });

  test("says which variants were shipped", () => {
    expect(page).toMatch(/onebit w1<\/td><td>shipped/);
    expect(page).toMatch(/efficientqat w2g64<\/td><td>trained here/);
  });

  test("follows the reader's light or dark scheme", () => {
    expect(page).toContain("prefers-color-scheme: dark");
  });

  test("closes every element that it opens", () => {
    const open: string[] = [];
    for (const [, closing, name = "", rest = ""] of page.matchAll(/<(\/?)([a-z]\w*)([^>]*)>/g)) {
      if (name === "meta" || rest.endsWith("/")) continue;
      if (closing) expect(open.pop()).toBe(name);
      else open.push(name);
    }
    expect(open).toEqual([]);
  });

  test("leaves out what there is nothing for", () => {
    const bare = comparison.variants.map((entry) => ({
      ...entry,
      tasks: [],
      figures: { ...entry.figures, accuracy: null },
    }));
    const without = formatComparisonPage({ ...comparison, variants: bare, samples: [] });
    expect(without).not.toContain("Accuracy");
    expect(without).not.toContain("What they write");
    expect(without).toContain("Perplexity and size");
  });
});

test("the table has a row for each variant in the order given", () => {
  const lines = formatComparisonTable(comparison.variants, { width: 140, style: plainStyle });
  expect(lines).toHaveLength(1 + comparison.variants.length);
  expect(lines[0]).toMatch(/variant +how made +bits\/weight +size +perplexity +KL +accuracy/);
  expect(lines.at(-1)).toMatch(/onebit w1 +shipped +1\.28/);
});
