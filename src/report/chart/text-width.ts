/**
 * Widths of characters in ems, those of DejaVu Sans: the widest among the default fonts of common
 * systems, so that what fits by this estimate fits with the others too.
 */
const classes: readonly (readonly [RegExp, number])[] = [
  [/[\p{M}\p{Cf}]/u, 0],
  [/[\p{Extended_Pictographic}\p{Regional_Indicator}]/u, 1.4],
  [/[\u1100-\u115f\u2e80-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60]/u, 1.05],
  [/[\u{1f000}-\u{3ffff}]/u, 1.4],
  [/[ijlI.,:;!|'` ·]/, 0.4],
  [/[ftr()[\]{}/\\"-]/, 0.47],
  [/[mwMWOQ@%…—]/, 1],
  [/[A-Z+=<>±×−→~#]/, 0.84],
  [/[a-z0-9]/, 0.64],
];
const otherWidth = 0.8;
const zeroWidthJoiner = "\u200d";

/** Estimates the width of a text, in pixels; rather more than less. */
export function textWidth(text: string, fontSize: number): number {
  let ems = 0;
  for (const character of text) ems += widthOf(character);
  return ems * fontSize;
}

function widthOf(character: string): number {
  return classes.find(([characters]) => characters.test(character))?.[1] ?? otherWidth;
}

/** Splits a text into what must stay together: a character with its marks, joined emoji. */
function splitCharacters(text: string): string[] {
  const found: string[] = [];
  for (const character of text) {
    const last = found.at(-1);
    const joined =
      last !== undefined && (widthOf(character) === 0 || last.endsWith(zeroWidthJoiner));
    if (joined) found[found.length - 1] = last + character;
    else found.push(character);
  }
  return found;
}

/** Leaves out the middle of a text wider than `width` pixels: names differ at their ends. */
export function shortenText(text: string, width: number, fontSize: number): string {
  if (textWidth(text, fontSize) <= width) return text;
  const characters = splitCharacters(text);
  for (let kept = characters.length - 1; kept > 0; kept--) {
    const half = kept >> 1;
    const tail = characters.slice(characters.length - (kept - half));
    const shortened = `${characters.slice(0, half).join("")}…${tail.join("")}`;
    if (textWidth(shortened, fontSize) <= width) return shortened;
  }
  return "…";
}

/**
 * Breaks a text into at most `most` lines of `width` pixels, behind spaces and hyphens where it
 * can; a longer text loses its middle.
 */
export function breakText(text: string, width: number, fontSize: number, most: number): string[] {
  const lines = breakAll(text, width, fontSize);
  if (lines.length <= most) return lines;
  for (let room = most; room > 0; room -= 0.1) {
    const shorter = breakAll(shortenText(text, room * width, fontSize), width, fontSize);
    if (shorter.length <= most) return shorter;
  }
  return lines.slice(0, most);
}

function breakAll(text: string, width: number, fontSize: number): string[] {
  const lines: string[] = [];
  let line = "";
  for (const character of splitCharacters(text)) {
    if (line !== "" && textWidth(line + character, fontSize) > width) {
      const end = Math.max(line.lastIndexOf(" "), line.lastIndexOf("-"), line.lastIndexOf("/")) + 1;
      // A break in the first half would leave a ragged line.
      const at = 2 * end > line.length ? end : line.length;
      lines.push(line.slice(0, at).trim());
      line = line.slice(at).trimStart();
    }
    line += character;
  }
  return line.trim() === "" ? lines : [...lines, line.trim()];
}
