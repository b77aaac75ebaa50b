import type { Frame } from "./axes.ts";

/** A point of a drawing, and the name that is to stand beside it; without one it is only in the way. */
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

interface Box {
  readonly left: number;
  readonly right: number;
  readonly top: number;
  readonly bottom: number;
}

/** How labels are set. */
export interface LabelStyle {
  /** Height of the letters, in pixels. */
  readonly fontSize: number;
  /** Side of its point on which a label is tried first. */
  readonly side: "left" | "right";
  /** Leave a label out where each place would cover another label or the edge. */
  readonly drop: boolean;
}

/**
 * Finds a place for each label beside its point where it covers no other point or label and stays within
 * the frame; when there is none, the place that covers the least, or null with `drop`. Points without a
 * label get null. In the order given, so the weightiest come first.
 */
export function placeLabels(
  points: readonly Labelled[],
  frame: Frame,
  style: LabelStyle,
): (LabelPlace | null)[] {
  const radius = 6;
  const marks = points.map(({ x, y }) => ({
    left: x - radius,
    right: x + radius,
    top: y - radius,
    bottom: y + radius,
  }));
  const labels: Box[] = [];
  return points.map((point, index) => {
    const { label } = point;
    if (label === null) return null;
    const tried = candidatePlaces(point.x, point.y, style).map((place) => {
      const box = labelBox(place, label, style.fontSize);
      const hidden = labels.reduce((sum, other) => sum + overlapOf(box, other), 0);
      // To stick out of the frame weighs more than to cover something.
      const outside = 4 * (overlapOf(box, box) - overlapOf(box, frame));
      const covered = marks.reduce(
        (sum, other, i) => sum + (i === index ? 0 : overlapOf(box, other)),
        0,
      );
      return { place, box, cost: hidden + outside + covered, unfit: hidden + outside > 1 };
    });
    const best = tried.reduce((a, b) => (b.cost < a.cost - 0.5 ? b : a));
    if (style.drop && best.unfit) return null;
    labels.push(best.box);
    return best.place;
  });
}

/** Places around a point: beside it first, then above and below, nearer ones first. */
function candidatePlaces(x: number, y: number, style: LabelStyle): LabelPlace[] {
  const gap = 9;
  const middle = y + style.fontSize / 3;
  const shifts = [0, -8, 8, -16, 16, -24, 24, -34, 34, -48, 48, -62, 62, -76, 76];
  return shifts.flatMap((shift): LabelPlace[] => {
    const right = { x: x + gap, y: middle + shift, anchor: "start" } as const;
    const left = { x: x - gap, y: middle + shift, anchor: "end" } as const;
    const beside = style.side === "left" ? [left, right] : [right, left];
    return Math.abs(shift) < 16 ? beside : [...beside, { x, y: middle + shift, anchor: "middle" }];
  });
}

function labelBox({ x, y, anchor }: LabelPlace, label: string, fontSize: number): Box {
  // Mean width of a character of the fonts that systems take.
  const width = 0.555 * fontSize * label.length;
  const left = anchor === "start" ? x : anchor === "end" ? x - width : x - width / 2;
  return { left, right: left + width, top: y - 0.9 * fontSize, bottom: y + 0.28 * fontSize };
}

function overlapOf(a: Box, b: Box): number {
  const width = Math.min(a.right, b.right) - Math.max(a.left, b.left);
  const height = Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top);
  return Math.max(0, width) * Math.max(0, height);
}

/** The functions of this file, for programs that run elsewhere. */
export const placeLabelsParts: readonly CallableFunction[] = [
  placeLabels,
  candidatePlaces,
  labelBox,
  overlapOf,
];
