import { describe, expect, test } from "vitest";
import { colourStyle, plainStyle } from "./style.ts";
import { type Column, cut, formatTable, textWidth } from "./table.ts";

const columns: readonly Column[] = [
  { header: "name", minWidth: 6, keep: "end" },
  { header: "size", align: "right" },
  { header: "note", dropOrder: 1 },
  { header: "extra", dropOrder: 2 },
];
const rows = [
  ["model.layers.0", "1.00 MB", "first", "x"],
  ["model.layers.10", "12.0 MB", "", "y"],
];

describe("tables", () => {
  test("columns align, and lines have no spaces at their end", () => {
    expect(formatTable(columns, rows, { width: 80, style: plainStyle })).toEqual([
      "  name                size  note   extra",
      "  model.layers.0   1.00 MB  first  x",
      "  model.layers.10  12.0 MB         y",
    ]);
  });

  test("a narrow table cuts names before it drops columns, and keeps the telling end", () => {
    expect(formatTable(columns, rows, { width: 36, style: plainStyle })).toEqual([
      "  name            size  note   extra",
      "  …l.layers.0  1.00 MB  first  x",
      "  ….layers.10  12.0 MB         y",
    ]);
  });

  test("columns are dropped by their drop order", () => {
    const [header, , , note] = formatTable(columns, rows, { width: 26, style: plainStyle });
    expect(header).toBe("  name         size  note");
    expect(note).toBe("  1 of 4 columns do not f…");
    const [narrow] = formatTable(columns, rows, { width: 20, style: plainStyle });
    expect(narrow).toBe("  name          size");
  });

  test.each([17, 20, 30, 40, 80])("no line is wider than %d columns", (width) => {
    for (const line of formatTable(columns, rows, { width, style: plainStyle })) {
      expect(textWidth(line)).toBeLessThanOrEqual(width);
    }
  });

  test("where columns were dropped, a last line says how many, and what shows them", () => {
    const wide = Array.from({ length: 20 }, (_, i) => ({ header: `column ${i}`, dropOrder: i }));
    const lines = formatTable(wide, [wide.map(() => "value")], { width: 80, style: plainStyle });
    expect(lines).toHaveLength(3);
    const shown = lines[0].split(/ {2,}/).length - 1;
    expect(lines[2]).toBe(`  ${20 - shown} of 20 columns do not fit; through a pipe all are shown`);
  });

  test("nothing is cut or dropped where another program reads", () => {
    const layout = { width: 20, tableWidth: Number.POSITIVE_INFINITY, style: plainStyle };
    const usual = { width: 80, style: plainStyle };
    expect(formatTable(columns, rows, layout)).toEqual(formatTable(columns, rows, usual));
  });

  test("colours do not move columns", () => {
    const cells = rows.map((row) => row.map((text) => ({ text, tone: "accent" as const })));
    const coloured = formatTable(columns, cells, { width: 80, style: colourStyle });
    // biome-ignore format: the escape sequence in one piece
    const bare = coloured.map((line) => line.replaceAll(/\u001b\[\d+m/g, "").trimEnd());
    expect(coloured.join("")).toContain("\u001b[36m");
    expect(bare).toEqual(formatTable(columns, rows, { width: 80, style: plainStyle }));
  });

  test("a text that is cut says so", () => {
    expect(cut("abcdef", 4)).toBe("abc…");
    expect(cut("abcdef", 4, "end")).toBe("…def");
    expect(cut("abcdef", 6)).toBe("abcdef");
  });
});
