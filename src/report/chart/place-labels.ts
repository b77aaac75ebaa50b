import { textWidth } from "./text-width.ts";

/** Where a plot stands in its drawing, in pixels from the top left. */
export interface Frame {
  readonly left: number;
  readonly right: number;
  readonly top: number;
  readonly bottom: number;
}

/** A point of a drawing and its label; a point without a label is only an obstacle. */
export interface Labelled {
  readonly x: number;
  readonly y: number;
  readonly label: string | null;
}

/** Where a label goes: its anchor point, and which end of the text stands there. */
export interface LabelPlace {
  readonly x: number;
  readonly y: number;
  readonly anchor: "start" | "middle" | "end";
}

/** How a point is named in the drawing. */
export interface PlacedLabel {
  /** What stands there: the label, or a number where the label finds no room. */
  readonly text: string;
  readonly place: LabelPlace;
  /** Whether the text is a number that a list explains. */
  readonly numbered: boolean;
}

type Line = readonly (readonly [number, number])[];
type Box = Frame;

/** How labels are set. */
export interface LabelStyle {
  /** Height of the letters, in pixels. */
  readonly fontSize: number;
  /** Side of its point on which a label is tried first. */
  readonly side: "left" | "right";
  /** How far a label may stand from its point. */
  readonly reach: number;
}

/** What labels must not cover, and what they had better not. */
interface Obstacles {
  readonly marks: readonly Box[];
  readonly inked: readonly Box[];
  readonly frame: Frame;
}

/** Labels wider than this share of the frame are numbered at once. */
const widestLabel = 0.55;
/** Free pixels between two labels on a line. */
const labelGap = 8;
/** Pixels of other marks that a label may cover. */
const halfMark = 72;
const numberReach = 24;
const rounds = 4;

/**
 * Finds a place for each label beside its point: where it covers no other label, point or line,
 * near rather than far, above and on the preferred side rather than elsewhere. Labels that find
 * none within reach give way to numbers, in the order of the points from left to right, and those may
 * stand anywhere. Null for points without a label, and where not even a number has room. Earlier
 * points come first where two want the same place.
 */
export function placeLabels(
  points: readonly Labelled[],
  lines: readonly Line[],
  frame: Frame,
  style: LabelStyle,
): (PlacedLabel | null)[] {
  const obstacles = {
    marks: points.map(({ x, y }) => around(x, y, 6)),
    inked: lines.flatMap(sampleLine).map(([x, y]) => around(x, y, 2.5)),
    frame,
  };
  const asked = points.filter(({ label }) => label !== null).length;
  const names = placeNames(points, obstacles, style);
  // A few names among numbers are harder to read than numbers alone.
  const named: ReadonlyMap<number, LabelPlace> = 2 * names.size < asked ? new Map() : names;
  const numbered = points
    .map((point, index) => ({ ...point, index }))
    .filter(({ label, index }) => label !== null && !named.has(index))
    .sort((a, b) => a.x - b.x);
  const widthOf = (text: string): number => textWidth(text, style.fontSize);
  const boxes = [...named].map(([index, place]) =>
    labelBox(place, widthOf(points[index]?.label ?? ""), style.fontSize),
  );
  const found = new Map<number, PlacedLabel>();
  for (const [position, { x, y, index }] of numbered.entries()) {
    const text = String(position + 1);
    const place = placeOne({ x, y, index }, widthOf(text), numberPlaces(x, y, style, frame), {
      ...obstacles,
      boxes,
      fontSize: style.fontSize,
    });
    if (!place) continue;
    boxes.push(labelBox(place, widthOf(text), style.fontSize));
    found.set(index, { text, place, numbered: true });
  }
  return points.map(({ label }, index) => {
    const place = named.get(index);
    if (place && label !== null) return { text: label, place, numbered: false };
    return found.get(index) ?? null;
  });
}

/** Places labels by their names; where some find none, these are tried first in another round. */
function placeNames(
  points: readonly Labelled[],
  obstacles: Obstacles,
  style: LabelStyle,
): ReadonlyMap<number, LabelPlace> {
  const { fontSize } = style;
  const widest = widestLabel * (obstacles.frame.right - obstacles.frame.left);
  const widths = points.map(({ label }) =>
    label === null ? Infinity : textWidth(label, fontSize),
  );
  let order = [...points.keys()].filter((index) => (widths[index] ?? Infinity) <= widest);
  let best: ReadonlyMap<number, LabelPlace> = new Map();
  for (let round = 0; round < rounds; round++) {
    const found = new Map<number, LabelPlace>();
    const boxes: Box[] = [];
    for (const index of order) {
      const [point, width] = [points[index], widths[index]];
      if (!point || width === undefined) continue;
      const { x, y } = point;
      const tried = namePlaces(x, y, style);
      const place = placeOne({ x, y, index }, width, tried, { ...obstacles, boxes, fontSize });
      if (!place) continue;
      boxes.push(labelBox(place, width, fontSize));
      found.set(index, place);
    }
    if (round === 0 || found.size > best.size) best = found;
    const failed = order.filter((index) => !found.has(index));
    if (failed.length === 0) break;
    order = [...failed, ...order.filter((index) => found.has(index))];
  }
  return best;
}

interface Candidate {
  readonly place: LabelPlace;
  readonly cost: number;
}

/** The cheapest candidate that covers neither a label, nor much of a mark, nor the frame's edge. */
function placeOne(
  { x, y, index }: { readonly x: number; readonly y: number; readonly index: number },
  width: number,
  candidates: readonly Candidate[],
  obstacles: Obstacles & { readonly boxes: readonly Box[]; readonly fontSize: number },
): LabelPlace | null {
  const { marks, inked, frame, boxes, fontSize } = obstacles;
  const near = marks.filter(
    (mark, other) => other !== index && (mark.left !== x - 6 || mark.top !== y - 6),
  );
  let best: Candidate | null = null;
  for (const { place, cost } of candidates) {
    if (best && cost >= best.cost) continue;
    const box = labelBox(place, width, fontSize);
    const gapped = { ...box, left: box.left - labelGap, right: box.right + labelGap };
    if (coveredBy(gapped, boxes) > 0 || overlapOf(box, frame) < overlapOf(box, box) - 1) continue;
    const covered = coveredBy(box, near);
    if (covered > halfMark) continue;
    const leader = leaderOf(x, y, place, fontSize);
    const crossed = leader.reduce(
      (sum, [px, py]) => sum + Math.min(1, coveredBy(around(px, py, 0.5), [...boxes, ...near])),
      0,
    );
    const whole = cost + covered + 2 * coveredBy(box, inked) + 12 * crossed;
    if (!best || whole < best.cost) best = { place, cost: whole };
  }
  return best?.place ?? null;
}

/** Points along the line from a mark to its label, where the label stands far enough for one. */
function leaderOf(x: number, y: number, place: LabelPlace, fontSize: number): Line {
  const end = place.y - fontSize / 3;
  return Math.hypot(place.x - x, end - y) < leaderFrom
    ? []
    : sampleLine([
        [x, y],
        [place.x, end],
      ]);
}

/** Labels farther from their marks than this get a line to them. */
export const leaderFrom = 18;

/** Candidate places around a point for a name, within reach, with the cost of each. */
function namePlaces(x: number, y: number, { fontSize, side, reach }: LabelStyle): Candidate[] {
  const middle = y + fontSize / 3;
  const found: Candidate[] = [];
  for (let shift = -reach; shift <= reach; shift += 4) {
    const below = shift > 0 ? 30 : 0;
    const far = 1.2 * Math.abs(shift);
    for (const anchor of ["start", "end", "middle"] as const) {
      if (anchor === "middle" && Math.abs(shift) < 16) continue;
      const preferred = side === "left" ? "end" : "start";
      const aside = anchor === preferred ? 0 : anchor === "middle" ? 12 : 40;
      const gap = anchor === "start" ? 9 : anchor === "end" ? -9 : 0;
      const cost = far + aside + below;
      found.push({ place: { x: x + gap, y: middle + shift, anchor }, cost });
    }
  }
  return found;
}

/** Candidate places for a number: on rings around its point, the near ones first. */
function numberPlaces(
  x: number,
  y: number,
  { fontSize }: LabelStyle,
  { left, right, top, bottom }: Frame,
): Candidate[] {
  const found: Candidate[] = [];
  const farthest = Math.hypot(right - left, bottom - top);
  for (let radius = 13; radius < farthest; radius += radius < numberReach ? 4 : 10) {
    const steps = Math.ceil(8 + radius / 8);
    for (let step = 0; step < steps; step++) {
      const angle = (2 * Math.PI * step) / steps;
      const place = {
        x: x + radius * Math.sin(angle),
        y: y - radius * Math.cos(angle) + fontSize / 3,
        anchor: "middle" as const,
      };
      found.push({ place, cost: 3 * radius + 10 * (1 - Math.cos(angle)) });
    }
  }
  return found;
}

function around(x: number, y: number, radius: number): Box {
  return { left: x - radius, right: x + radius, top: y - radius, bottom: y + radius };
}

/** Points along a line, close enough together that nothing fits between them. */
function sampleLine(line: Line): (readonly [number, number])[] {
  return line.flatMap(([x, y], index) => {
    const [nextX, nextY] = line[index + 1] ?? [x, y];
    const steps = Math.max(1, Math.ceil(Math.hypot(nextX - x, nextY - y) / 5));
    return Array.from(
      { length: steps },
      (_, i) => [x + ((nextX - x) * i) / steps, y + ((nextY - y) * i) / steps] as const,
    );
  });
}

function coveredBy(box: Box, others: readonly Box[]): number {
  let covered = 0;
  for (const other of others) covered += overlapOf(box, other);
  return covered;
}

function labelBox({ x, y, anchor }: LabelPlace, width: number, fontSize: number): Box {
  const left = anchor === "start" ? x : anchor === "end" ? x - width : x - width / 2;
  return { left, right: left + width, top: y - fontSize, bottom: y + 0.32 * fontSize };
}

function overlapOf(a: Box, b: Box): number {
  // Most are far apart, and there are many.
  if (a.left >= b.right || b.left >= a.right || a.top >= b.bottom || b.top >= a.bottom) return 0;
  const width = Math.min(a.right, b.right) - Math.max(a.left, b.left);
  const height = Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top);
  return width * height;
}
