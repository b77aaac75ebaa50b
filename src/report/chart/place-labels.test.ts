import { describe, expect, test } from "vitest";
import { Prng } from "../../util/prng.ts";
import { type Labelled, type PlacedLabel, placeLabels } from "./place-labels.ts";
import { textWidth } from "./text-width.ts";

const style = { fontSize: 12, side: "right", reach: 76 } as const;
const frame = { left: 40, right: 640, top: 20, bottom: 420 };

/** Left, right, top and bottom of what stands there. */
function boxOf({ text, place: { x, y, anchor } }: PlacedLabel): readonly number[] {
  const width = textWidth(text, style.fontSize);
  const left = anchor === "start" ? x : anchor === "end" ? x - width : x - width / 2;
  return [left, left + width, y - 11, y + 3];
}

function expectApart(found: readonly (PlacedLabel | null)[]): void {
  const boxes = found.flatMap((label) => (label ? [boxOf(label)] : []));
  for (const [index, [left = 0, right = 0, top = 0, bottom = 0]] of boxes.entries()) {
    expect(left).toBeGreaterThanOrEqual(frame.left - 1);
    expect(right).toBeLessThanOrEqual(frame.right + 1);
    for (const [l = 0, r = 0, t = 0, b = 0] of boxes.slice(index + 1)) {
      expect(Math.min(right, r) > Math.max(left, l) && Math.min(bottom, b) > Math.max(top, t)).toBe(
        false,
      );
    }
  }
}

function scatter(count: number, seed: number, spread: number): Labelled[] {
  const random = new Prng(seed);
  return Array.from({ length: count }, (_, i) => ({
    x: 340 + spread * 300 * (2 * random.uniform() - 1),
    y: 220 + spread * 200 * (2 * random.uniform() - 1),
    label: `variant-${i} w2g64`,
  }));
}

describe("labels", () => {
  test.each([
    [8, 0.1],
    [8, 0],
    [60, 0.98],
    [60, 0.2],
    [200, 0.98],
  ])(
    "of %d points within %d of the frame do not cover each other and stay inside",
    (count, spread) => {
      for (const seed of [1, 2, 3])
        expectApart(placeLabels(scatter(count, seed, spread), [], frame, style));
    },
  );

  test("all find a place, or a number does", () => {
    for (const spread of [0, 0.1, 0.5, 1]) {
      const found = placeLabels(scatter(60, 4, spread * 0.98), [], frame, style);
      expect(found.every((label) => label !== null)).toBe(true);
      const numbers = found.flatMap((label) => (label?.numbered ? [Number(label.text)] : []));
      expect(numbers.sort((a, b) => a - b)).toEqual(numbers.map((_, index) => index + 1));
    }
  });

  test("numbers go from left to right", () => {
    const points = scatter(60, 5, 0.1);
    const found = placeLabels(points, [], frame, style);
    const numbered = points
      .map(({ x }, index) => ({ x, number: Number(found[index]?.text) }))
      .sort((a, b) => a.number - b.number);
    expect(numbered.map(({ x }) => x)).toEqual(numbered.map(({ x }) => x).sort((a, b) => a - b));
  });

  test("a name that is wider than half of the frame is a number", () => {
    const long = { x: 300, y: 200, label: "a-name-".repeat(12) };
    const found = placeLabels([long, { x: 100, y: 100, label: "short" }], [], frame, style);
    expect(found.map((label) => label?.text)).toEqual(["1", "short"]);
  });

  test("of a point alone stands at its right", () => {
    const [found] = placeLabels([{ x: 50, y: 50, label: "one" }], [], frame, style);
    expect(found?.place.anchor).toBe("start");
  });

  test("of a point at the edge stays inside", () => {
    const corners = [
      [40, 20],
      [640, 20],
      [40, 420],
      [640, 420],
    ].map(([x = 0, y = 0], i) => ({ x, y, label: `corner ${i}` }));
    const found = placeLabels(corners, [], frame, style);
    expect(found.map((label) => label?.numbered)).toEqual([false, false, false, false]);
    expectApart(found);
  });
});
