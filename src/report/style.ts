/** What a piece of text is, which decides its colour. */
export type Tone = "plain" | "accent" | "dim" | "failure";

/** Colours a text by its tone, or leaves it as it is. */
export type Style = (text: string, tone: Tone) => string;

const codes: Record<Exclude<Tone, "plain">, readonly [number, number]> = {
  accent: [36, 39],
  dim: [2, 22],
  failure: [31, 39],
};

/** Leaves every text as it is. */
export const plainStyle: Style = (text) => text;

/** Colours texts with ANSI escape sequences: one accent, dim, and red for failure. */
export const colourStyle: Style = (text, tone) => {
  if (tone === "plain" || text === "") return text;
  const [on, off] = codes[tone];
  return `\x1b[${on}m${text}\x1b[${off}m`;
};

/** How a report is laid out. */
export interface Layout {
  /** Columns that a line may fill; `Infinity` for no limit. */
  readonly width: number;
  readonly style: Style;
  /**
   * Columns that a line of a table may fill, where that is not `width`: what goes to another
   * program is cut nowhere.
   */
  readonly tableWidth?: number;
}
