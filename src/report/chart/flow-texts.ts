import { breakText, textWidth } from "./text-width.ts";

/** A text in its place: of its first line's baseline, from the top left of all. */
export interface FlowedText {
  readonly x: number;
  readonly y: number;
  readonly lines: readonly string[];
}

/** How texts are set one after the other. */
export interface FlowStyle {
  /** Room of a row, in pixels. */
  readonly width: number;
  readonly fontSize: number;
  /** Room in front of each text, for what it explains. */
  readonly indent: number;
}

const gap = 14;
const mostLines = 3;

/** Distance of two baselines. */
export function lineHeight(fontSize: number): number {
  return Math.ceil(1.25 * fontSize) + 3;
}

/** Sets texts in rows, as many as they need; one that is wider than a row is broken into lines. */
export function flowTexts(
  texts: readonly string[],
  { width, fontSize, indent }: FlowStyle,
): { readonly placed: readonly FlowedText[]; readonly height: number } {
  const step = lineHeight(fontSize);
  const placed: FlowedText[] = [];
  let [x, top, height] = [0, 0, 0];
  for (const text of texts) {
    const lines = breakText(text, width - indent, fontSize, mostLines);
    const needed = indent + Math.max(0, ...lines.map((line) => textWidth(line, fontSize)));
    if (x > 0 && x + needed > width) {
      x = 0;
      top += height;
      height = 0;
    }
    placed.push({ x: x + indent, y: top + step - 4, lines });
    height = Math.max(height, step * lines.length);
    x += needed + gap;
  }
  return { placed, height: top + height };
}
