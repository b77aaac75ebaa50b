import { clipLine } from "./clip-line.ts";
import { markPlace, pixelPlaces } from "./draw-marks.ts";
import { flowTexts, lineHeight } from "./flow-texts.ts";
import { type Frame, leaderFrom, placeLabels } from "./place-labels.ts";
import type { Plot, PlotLayout, PlotPoint } from "./plot.ts";
import { element, escapeMarkup } from "./svg.ts";
import { textWidth } from "./text-width.ts";

/**
 * Draws names beside their points, with lines to the distant ones. Points whose names find no room
 * get numbers, and a list of those stands below; `bottom` is where all ends.
 * @param below where a list begins
 */
export function drawPlotLabels(
  { points, lines, side }: Plot,
  { width, fontSize, labelReach }: PlotLayout,
  frame: Frame,
  below: number,
): { readonly content: string; readonly bottom: number } {
  const places = pixelPlaces(frame);
  // Those of the front first.
  const ordered = [...points].sort((a, b) => Number(a.faded) - Number(b.faded));
  const marks = ordered.map((point) => {
    const [x, y] = markPlace(point, places);
    return { x, y, label: point.label };
  });
  const inTheWay = lines
    .filter(({ kind }) => kind !== "band")
    .flatMap((line) => clipLine(line.places));
  const whiskers = ordered.flatMap(({ x, whisker }) =>
    whisker ? clipLine(whisker.map((end) => [x, end] as const)) : [],
  );
  const inked = [...inTheWay, ...whiskers].map((line) =>
    line.map(([x, y]) => [places.x(x), places.y(y)] as const),
  );
  const style = { fontSize, side, reach: labelReach };
  const found = placeLabels(marks, inked, frame, style);
  const [leaders, texts]: [string[], string[]] = [[], []];
  const listed: { readonly number: string; readonly point: PlotPoint }[] = [];
  let missing = 0;
  for (const [index, point] of ordered.entries()) {
    const placed = found[index];
    const mark = marks[index];
    if (point.label === null || !mark) continue;
    if (!placed) {
      missing++;
      continue;
    }
    const { place, text, numbered } = placed;
    if (numbered) listed.push({ number: text, point });
    const end = place.y - fontSize / 3;
    const leader = { class: "leader", x1: mark.x, y1: mark.y, x2: place.x, y2: end };
    const apart = Math.hypot(place.x - mark.x, end - mark.y) >= leaderFrom;
    if (apart) leaders.push(element("line", leader));
    const attributes = { class: labelClass(point), x: place.x, y: place.y };
    texts.push(
      element("text", { ...attributes, "text-anchor": place.anchor, "data-point": point.id }, [
        escapeMarkup(text),
      ]),
    );
  }
  listed.sort((a, b) => Number(a.number) - Number(b.number));
  const list = drawList(listed, missing, { below, width, fontSize });
  return { content: [...leaders, ...texts, list.content].join(""), bottom: list.bottom };
}

function labelClass({ faded }: PlotPoint): string {
  return faded ? "label off" : "label";
}

/** The names of numbered points, one after the other. */
function drawList(
  listed: readonly { readonly number: string; readonly point: PlotPoint }[],
  missing: number,
  {
    below,
    width,
    fontSize,
  }: { readonly below: number; readonly width: number; readonly fontSize: number },
): { readonly content: string; readonly bottom: number } {
  if (listed.length + missing === 0) return { content: "", bottom: below };
  const more = missing > 0 ? [`and ${missing} more`] : [];
  const widest = Math.max(0, ...listed.map(({ number }) => textWidth(number, fontSize)));
  const { placed, height } = flowTexts([...listed.map(({ point }) => point.label ?? ""), ...more], {
    width: width - 4,
    fontSize,
    indent: widest + 6,
  });
  const parts = placed.flatMap(({ x, y, lines }, index) => {
    const { number, point } = listed[index] ?? {};
    const named = point === undefined ? {} : { "data-point": point.id };
    const line = (text: string, at: number, position: number, anchor?: string): string =>
      element(
        "text",
        {
          class: "listed",
          x: 2 + at,
          y: below + y + position * lineHeight(fontSize),
          "text-anchor": anchor,
          ...named,
        },
        [escapeMarkup(text)],
      );
    return [
      ...(number === undefined ? [] : [line(number, x - 6, 0, "end")]),
      ...lines.map((text, position) => line(text, x, position)),
    ];
  });
  return { content: parts.join(""), bottom: below + height + 4 };
}
