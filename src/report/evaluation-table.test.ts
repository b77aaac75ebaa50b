import { describe, expect, test } from "vitest";
import { figures as known } from "../evaluation/figures.ts";
import { formatEvaluationTable, type MeasuredVariant } from "./evaluation-table.ts";
import { formatSpread } from "./format-figure.ts";
import { plainStyle } from "./style.ts";
import { textWidth } from "./table.ts";

const around = (value: number, half: number) => ({
  perplexity: value,
  interval: { low: value - half, high: value + half, level: 0.95 },
});
const measured = {
  bitsPerWeight: { linear: 2.281, file: 4.784 },
  ...around(31.416, 0.42),
  klDivergence: { mean: 0.1234 },
  topTokenAgreement: 0.8123,
  tokensPerSecond: 1234.5,
  peakMemoryBytes: 310_000_000,
};
const figures = (variant: string, sizeBytes: number): MeasuredVariant => ({
  variant,
  measured: { ...measured, sizeBytes },
});
const original: MeasuredVariant = {
  variant: "prose-6m",
  measured: { ...measured, sizeBytes: 11_541_504, klDivergence: null, topTokenAgreement: null },
};

describe("evaluation table", () => {
  test("the original is the first row, the others follow by size, and gaps are dashes", () => {
    const lines = formatEvaluationTable(
      original,
      [figures("w2", 3_450_000), figures("w4", 5_000_000)],
      { width: 100, style: plainStyle },
    );
    expect(lines).toEqual([
      "  variant   bits/weight     size    perplexity     KL  same top  tokens/s  memory",
      "  prose-6m         2.28  11.5 MB  31.42 ± 0.42      –         –      1235  310 MB",
      "  w4               2.28  5.00 MB  31.42 ± 0.42  0.123    81.2 %      1235  310 MB",
      "  w2               2.28  3.45 MB  31.42 ± 0.42  0.123    81.2 %      1235  310 MB",
    ]);
  });

  test("columns without any figure are left out", () => {
    const [header] = formatEvaluationTable(null, [original], { width: 80, style: plainStyle });
    expect(header).not.toContain("KL");
    expect(header).toContain("perplexity");
  });

  test.each([40, 60, 80])("at %d columns perplexity stays and nothing wraps", (width) => {
    const long = {
      variant: "a-model-with-a-long-name-w2g64-gptq",
      measured: { ...measured, sizeBytes: 1, ...around(31, 0.01) },
    };
    const lines = formatEvaluationTable(original, [long], { width, style: plainStyle });
    expect(lines[0]).toContain("perplexity");
    for (const line of lines) expect(textWidth(line)).toBeLessThanOrEqual(width);
  });

  test("a perplexity shows the digits that its interval supports", () => {
    const show = (value: number, half: number | null): string =>
      formatSpread(known.perplexity, value, half);
    expect(show(31.41592, 4.2)).toBe("31.4 ± 4.2");
    expect(show(31.41592, 0.0042)).toBe("31.4159 ± 0.0042");
    expect(show(31.41592, null)).toBe("31.42");
    expect(show(812.3, 55)).toBe("812 ± 55");
    expect(show(Number.POSITIVE_INFINITY, Number.NaN)).toBe("∞");
  });
});
