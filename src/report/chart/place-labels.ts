import type { Frame } from "./axes.ts";

/** A point with a name that is to stand beside it. */
export interface Labelled {
  readonly x: number;
  readonly y: number;
  readonly label: string;
}

/** Where a label goes: its anchor point, and which end of the text stands there. */
export interface LabelPlace {
  readonly x: number;
  readonly y: number;
  readonly anchor: "start" | "middle" | "end";
}

interface Box {
  readonly left: number;
  readonly right: number;
  readonly top: number;
  readonly bottom: number;
}

/** Mean width of a character of the labels' font of 11 pixels, and the height of a line. */
const characterWidth = 6.1;
const lineHeight = 13;
const gap = 9;
const pointRadius = 6;

/**
 * Finds a place for each label beside its point where it covers no other point or label and stays within
 * the frame; when there is none, the place that covers the least.
 */
export function placeLabels(points: readonly Labelled[], frame: Frame): LabelPlace[] {
  const taken: Box[] = points.map(({ x, y }) => ({
    left: x - pointRadius,
    right: x + pointRadius,
    top: y - pointRadius,
    bottom: y + pointRadius,
  }));
  return points.map((point, index) => {
    const others = taken.filter((_, other) => other !== index);
    const [first, ...rest] = candidates(point).map((place) => {
      const box = boxOf(place, point.label);
      const covered = others.reduce((sum, other) => sum + overlap(box, other), 0);
      return { place, box, cost: covered + outside(box, frame) };
    });
    const best = rest.reduce((a, b) => (b.cost < a.cost - 0.5 ? b : a), first ?? unplaceable());
    taken.push(best.box);
    return best.place;
  });
}

function unplaceable(): never {
  throw new RangeError("a label has no candidates");
}

/** Places around a point: beside it first, then above and below, nearer ones first. */
function candidates({ x, y }: Labelled): LabelPlace[] {
  const shifts = [0, -8, 8, -16, 16, -24, 24, -34, 34, -48, 48, -62, 62, -76, 76];
  return shifts.flatMap((shift): LabelPlace[] => {
    const beside = [
      { x: x + gap, y: y + 4 + shift, anchor: "start" },
      { x: x - gap, y: y + 4 + shift, anchor: "end" },
    ] as const;
    if (Math.abs(shift) < 16) return [...beside];
    return [...beside, { x, y: y + 4 + shift, anchor: "middle" }];
  });
}

function boxOf({ x, y, anchor }: LabelPlace, label: string): Box {
  const width = label.length * characterWidth;
  const left = anchor === "start" ? x : anchor === "end" ? x - width : x - width / 2;
  return { left, right: left + width, top: y - lineHeight + 3, bottom: y + 3 };
}

function overlap(a: Box, b: Box): number {
  const width = Math.min(a.right, b.right) - Math.max(a.left, b.left);
  const height = Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top);
  return Math.max(0, width) * Math.max(0, height);
}

/** Area of a box that lies outside the frame, which weighs more than covering something. */
function outside(box: Box, frame: Frame): number {
  const area = (box.right - box.left) * (box.bottom - box.top);
  return 4 * (area - overlap(box, frame));
}
