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

type Box = Frame;

/** How labels are set. */
export interface LabelStyle {
  /** Height of the letters, in pixels. */
  readonly fontSize: number;
  /** Side of its point on which a label is tried first. */
  readonly side: "left" | "right";
  /** How far a label may stand from its point; one that finds no free place is left out. */
  readonly reach: number;
}

/**
 * Finds a place for each label beside its point: where it covers no other label, point or line,
 * near rather than far, above and on the preferred side rather than elsewhere. Null for points
 * without a label, and where each place within reach would cover another label, half a mark or the
 * edge of the frame. Labels are placed in the order given, so the most important come first.
 */
export function placeLabels(
  points: readonly Labelled[],
  lines: readonly (readonly (readonly [number, number])[])[],
  frame: Frame,
  style: LabelStyle,
): (LabelPlace | null)[] {
  const around = (x: number, y: number, radius: number): Box => ({
    left: x - radius,
    right: x + radius,
    top: y - radius,
    bottom: y + radius,
  });
  const halfMark = 72;
  const marks = points.map(({ x, y }) => around(x, y, 6));
  const inked = lines.flatMap(sampleLine).map(([x, y]) => around(x, y, 2.5));
  const labels: Box[] = [];
  return points.map((point, index) => {
    const { label } = point;
    if (label === null) return null;
    const others = marks.filter((_, other) => other !== index);
    const tried = candidatePlaces(point.x, point.y, style).map(({ place, cost }) => {
      const box = labelBox(place, label, style.fontSize);
      const hidden = coveredBy(box, labels) + overlapOf(box, box) - overlapOf(box, frame);
      const covered = coveredBy(box, others);
      const unfit = hidden > 1 || covered > halfMark;
      return { place, box, unfit, cost: cost + covered + 2 * coveredBy(box, inked) + 20 * hidden };
    });
    const best = tried.reduce((a, b) => (b.cost < a.cost ? b : a));
    if (best.unfit) return null;
    labels.push(best.box);
    return best.place;
  });
}

/** Candidate places around a point, within reach, with the cost of each. */
function candidatePlaces(
  x: number,
  y: number,
  { fontSize, side, reach }: LabelStyle,
): { readonly place: LabelPlace; readonly cost: number }[] {
  const middle = y + fontSize / 3;
  const found: { place: LabelPlace; cost: number }[] = [];
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

/** Points along a line, close enough together that nothing fits between them. */
function sampleLine(line: readonly (readonly [number, number])[]): (readonly [number, number])[] {
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
  return others.reduce((sum, other) => sum + overlapOf(box, other), 0);
}

function labelBox({ x, y, anchor }: LabelPlace, label: string, fontSize: number): Box {
  // Mean width of a character in the default fonts of common systems.
  const width = 0.555 * fontSize * label.length;
  const left = anchor === "start" ? x : anchor === "end" ? x - width : x - width / 2;
  return { left, right: left + width, top: y - 0.9 * fontSize, bottom: y + 0.28 * fontSize };
}

function overlapOf(a: Box, b: Box): number {
  const width = Math.min(a.right, b.right) - Math.max(a.left, b.left);
  const height = Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top);
  return Math.max(0, width) * Math.max(0, height);
}
