import { describe, expect, test } from "vitest";
import {
  formatEvaluationTable,
  formatPerplexity,
  type VariantFigures,
} from "./evaluation-table.ts";
import { plainStyle } from "./style.ts";
import { textWidth } from "./table.ts";

const figures = (variant: string, sizeBytes: number): VariantFigures => ({
  variant,
  bitsPerWeight: { linear: 2.281, file: 4.784 },
  sizeBytes,
  perplexity: { value: 31.416, halfWidth: 0.42 },
  klDivergence: 0.1234,
  topTokenAgreement: 0.8123,
  accuracy: null,
  tokensPerSecond: 1234.5,
  peakMemoryBytes: 310_000_000,
});
const original: VariantFigures = {
  ...figures("prose-6m", 11_541_504),
  klDivergence: null,
  topTokenAgreement: null,
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
      ...figures("a-model-with-a-long-name-w2g64-gptq", 1),
      perplexity: { value: 31, halfWidth: 0.01 },
    };
    const lines = formatEvaluationTable(original, [long], { width, style: plainStyle });
    expect(lines[0]).toContain("perplexity");
    for (const line of lines) expect(textWidth(line)).toBeLessThanOrEqual(width);
  });

  test("a perplexity shows the digits that its interval supports", () => {
    expect(formatPerplexity({ value: 31.41592, halfWidth: 4.2 })).toBe("31.4 ± 4.2");
    expect(formatPerplexity({ value: 31.41592, halfWidth: 0.0042 })).toBe("31.4159 ± 0.0042");
    expect(formatPerplexity({ value: 31.41592, halfWidth: null })).toBe("31.42");
    expect(formatPerplexity({ value: 812.3, halfWidth: 55 })).toBe("812 ± 55");
    expect(formatPerplexity({ value: Number.POSITIVE_INFINITY, halfWidth: Number.NaN })).toBe("∞");
  });
});
