import { expect, test } from "vitest";
import { plotView, type SweepView, type ViewMeasure, type ViewRow } from "./sweep-view.ts";

const names = ["a", "b", "c", "d"];
const rows = names.map(
  (id): ViewRow => ({
    id,
    name: id,
    model: "m",
    method: "rtn",
    bits: "2 bits",
    colour: "bits-2",
    shape: "circle",
    lines: [id],
    command: null,
  }),
);
const measure = (
  id: string,
  growing: boolean,
  places: readonly (number | null)[],
): ViewMeasure => ({
  id,
  name: id,
  title: id,
  role: growing ? "quality" : "cost",
  growing,
  ticks: [],
  places,
  whiskers: places.map(() => null),
  comparable: places.map(() => null),
  beyond: places.map((place) => (place !== null && place < 0 ? "258" : null)),
});

const view: SweepView = {
  rows,
  measures: [
    measure("size", false, [0.1, 0.3, 0.5, 0.7]),
    measure("speed", true, [0.9, 0.5, 0.4, 0.1]),
    measure("quality", true, [0.2, 0.6, 0.4, 0.8]),
    measure("partial", true, [null, 0.5, -0.3, 0.4]),
  ],
  near: { "size quality": ["b", "c"] },
};
const frontOf = (x: string, y: string, shown: ReadonlySet<string> | null = null): string[] =>
  plotView(view, x, y, shown)
    ?.points.filter(({ faded }) => !faded)
    .map(({ id }) => id) ?? [];

test("a front has the points that none is better than in both ways", () => {
  expect(frontOf("size", "quality")).toEqual(["a", "b", "d"]);
});

test("rows that cannot be compared have fronts of their own", () => {
  const [size, , quality] = view.measures;
  if (!size || !quality) throw new Error("no measures");
  const comparable = ["0", "1", "0", "1"];
  const apart = { ...view, measures: [size, { ...quality, comparable }] };
  const plot = plotView(apart, "size", "quality", null);
  expect(plot?.points.filter(({ faded }) => faded)).toEqual([]);
  expect(plot?.lines.map(({ places }) => places)).toEqual([
    [
      [0.1, 0.2],
      [0.5, 0.4],
    ],
    [
      [0.3, 0.6],
      [0.7, 0.8],
    ],
  ]);
});

test("costs whose spreads overlap make no front", () => {
  const [, speed, quality] = view.measures;
  if (!speed || !quality) throw new Error("no measures");
  const spread = (half: number): SweepView => ({
    ...view,
    measures: [
      {
        ...speed,
        whiskers: speed.places.map((at) => [(at ?? 0) - half, (at ?? 0) + half] as const),
      },
      quality,
    ],
  });
  const bestOf = (seen: SweepView): string[] =>
    plotView(seen, "speed", "quality", null)
      ?.points.filter(({ faded }) => !faded)
      .map(({ id }) => id) ?? [];
  expect(bestOf(spread(0.01))).toEqual(["a", "b", "d"]);
  expect(bestOf(spread(0.25))).toEqual(["a", "d"]);
  expect(bestOf(spread(0.6))).toEqual(["d"]);
  expect(plotView(spread(0.6), "speed", "quality", null)?.lines).toEqual([]);
});

test("points that are not clearly beaten are less faint, those of the front are not faint", () => {
  const points = plotView(view, "size", "quality", null)?.points ?? [];
  expect(points.filter(({ near }) => near).map(({ id }) => id)).toEqual(["c"]);
});

test("where more is better in both ways, the front goes the other way", () => {
  expect(frontOf("speed", "quality")).toEqual(["a", "b", "d"]);
  expect(plotView(view, "speed", "quality", null)?.side).toBe("right");
});

test("of some points the front is that of these", () => {
  expect(frontOf("size", "quality", new Set(["a", "c"]))).toEqual(["a", "c"]);
});

test("points without a figure are left out, those off the axis say their figure", () => {
  const points = plotView(view, "size", "partial", null)?.points ?? [];
  expect(points.map(({ id }) => id)).toEqual(["b", "c", "d"]);
  expect(points[1]).toMatchObject({ y: -0.3, label: "c: 258", faded: true });
});

test("an unknown measure makes no chart", () => {
  expect(plotView(view, "size", "colour", null)).toBeNull();
});
