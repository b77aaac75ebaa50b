import { describe, expect, test } from "vitest";
import {
  formatBytes,
  formatCount,
  formatDuration,
  formatEstimateRange,
  formatNumber,
  formatPercentage,
  formatRemaining,
  printable,
  shortenDecimals,
} from "./format.ts";

describe("numbers", () => {
  test.each([
    [0, "0"],
    [0.02134, "0.0213"],
    [9.996, "10.0"],
    [0.9999, "1.00"],
    [-4.718, "-4.72"],
    [12345, "12345"],
    [0.00001234, "1.23e-5"],
    [Number.POSITIVE_INFINITY, "∞"],
    [Number.NaN, "NaN"],
  ])("%d shows three significant digits: %s", (value, text) => {
    expect(formatNumber(value)).toBe(text);
  });

  test.each([
    [0, "0 B"],
    [999, "999 B"],
    [1234, "1.23 kB"],
    [26_880, "26.9 kB"],
    [99_960, "0.100 MB"],
    [123_456, "0.123 MB"],
    [3_449_999, "3.45 MB"],
    [999_499_999, "999 MB"],
    [999_600_000, "1.00 GB"],
    [1.5e12, "1.50 TB"],
  ])("%d bytes are %s, in units of a thousand", (bytes, text) => {
    expect(formatBytes(bytes)).toBe(text);
  });

  test.each([
    [42, "42"],
    [9_999, "9999"],
    [936_448, "936 k"],
    [4_718_592, "4.72 M"],
    [999_900_000, "1.00 B"],
  ])("a count of %d is %s", (count, text) => {
    expect(formatCount(count)).toBe(text);
  });

  test("a share below one never reads as all", () => {
    expect(formatPercentage(1)).toBe("100 %");
    expect(formatPercentage(0.99999)).toBe("99.9 %");
    expect(formatPercentage(0.9731)).toBe("97.3 %");
  });
});

describe("durations", () => {
  test.each([
    [0.2, "0 ms"],
    [999.4, "999 ms"],
    [11_400, "11.4 s"],
    [59_940, "59.9 s"],
    [59_960, "1 min 00 s"],
    [125_000, "2 min 05 s"],
    [3_840_000, "1 h 04 min"],
  ])("%d ms took %s", (milliseconds, text) => {
    expect(formatDuration(milliseconds)).toBe(text);
  });

  test.each([
    [-5, "0.0 s"],
    [4_120, "4.1 s"],
    [37_600, "38 s"],
    [59_700, "1 min 00 s"],
  ])("%d ms left is told no finer than it is known: %s", (milliseconds, text) => {
    expect(formatRemaining(milliseconds)).toBe(text);
  });
});

describe("texts of others", () => {
  test("escape sequences and direction marks never reach the terminal", () => {
    expect(printable("a\u001b[2Jb\u202ec\u009b")).toBe("a�[2Jb�c�");
  });

  test("line ends stay only where asked", () => {
    expect(printable("a\nb\tc\r")).toBe("a�b�c�");
    expect(printable("a\nb\tc\r", { newlines: true })).toBe("a\nb\tc�");
  });
});

test.each([
  ["0.500 MB", "0.5 MB"],
  ["10.0 MB", "10 MB"],
  ["1.25 s", "1.25 s"],
  ["100 kB", "100 kB"],
  ["0.00200", "0.002"],
])("an axis writes %s as %s", (text, short) => {
  expect(shortenDecimals(text)).toBe(short);
});

test.each([
  [0.2, "under 1 s"],
  [0.6, "0.4 to 1.0 s"],
  [10, "7.0 to 17 s"],
  [50, "35 s to 1 min 25 s"],
  [120, "1 min 24 s to 3 min 24 s"],
])("an estimate of %d s stands for a range: %s", (seconds, text) => {
  expect(formatEstimateRange(seconds)).toBe(text);
});
