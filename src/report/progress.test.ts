import { describe, expect, test } from "vitest";
import { formatProgressLine, formatProgressLog, type Progress } from "./progress.ts";
import { colourStyle, plainStyle } from "./style.ts";
import { textWidth } from "./table.ts";

const progress: Progress = {
  noun: "block",
  current: 4,
  total: 6,
  fraction: 2 / 3,
  activity: "mlp.down_proj",
  figure: { name: "error", value: 0.02134 },
  remainingMs: 4_100,
};

describe("progress", () => {
  test("the line shows where the work is, its error, and the time left", () => {
    expect(formatProgressLine(progress, { width: 100, style: plainStyle })).toBe(
      "  block 4/6  ████████████████░░░░░░░░  mlp.down_proj        error 0.0213   4.1 s left",
    );
  });

  test.each([12, 20, 30, 40, 50, 60, 70, 80, 120])(
    "at %d columns the cursor stays on the line",
    (width) => {
      const line = formatProgressLine(progress, { width, style: plainStyle });
      expect(textWidth(line)).toBeLessThan(width);
      expect(line).toContain("block 4/6".slice(0, width - 4));
    },
  );

  test("only a finished work has a full bar, and nonsense never breaks it", () => {
    const bar = (fraction: number): string =>
      formatProgressLine({ ...progress, fraction }, { width: 100, style: plainStyle });
    expect(bar(0.999)).toContain("░");
    expect(bar(1)).not.toContain("░");
    expect(bar(Number.NaN)).not.toContain("█");
    expect(bar(7)).toBe(bar(1));
  });

  test("colours add nothing but escape sequences", () => {
    const line = formatProgressLine(progress, { width: 100, style: colourStyle });
    // biome-ignore format: the escape sequence in one piece
    expect(line.replaceAll(/\u001b\[\d+m/g, "")).toBe(
      formatProgressLine(progress, { width: 100, style: plainStyle }),
    );
  });

  test("a log line names no time left once all is done", () => {
    expect(formatProgressLog(progress, ["error 0.0213"])).toBe(
      "block 4/6  error 0.0213  4.1 s left",
    );
    expect(formatProgressLog({ ...progress, current: 6 }, [])).toBe("block 6/6");
  });
});
