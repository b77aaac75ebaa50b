/** Decodes ids to text; special tokens are left out. */
export type Decode = (ids: readonly number[]) => string;

const replacement = "\ufffd";
const unfinished = /\ufffd+$/;

/** More tokens than this cannot belong to one unfinished character. */
const longestCharacter = 16;

/**
 * Turns tokens into text as they come. Text that may still change, because a character's bytes are
 * not complete, is held back; the pieces together are the text that follows the prompt.
 */
export class TextStream {
  private readonly decode: Decode;
  /** Tokens from the last boundary of characters but one: enough context to decode the next. */
  private window: number[];
  /** Where in `window` the last boundary is. */
  private boundary: number;
  /** Length of the window's text that was given out. */
  private given: number;

  /** `context`: the end of the prompt, so that the first token is decoded as what follows it. */
  constructor(decode: Decode, context: readonly number[]) {
    this.decode = decode;
    this.window = [...context];
    // Cut within a character, byte tokens would spoil what follows them.
    while (decode(this.window).startsWith(replacement)) this.window.shift();
    this.boundary = this.window.length;
    this.given = decode(this.window).replace(unfinished, "").length;
  }

  /** Takes a token; returns the text that is certain now. */
  push(id: number): string {
    this.window.push(id);
    const text = this.decode(this.window);
    const complete = !text.endsWith(replacement);
    const overdue = this.window.length - this.boundary > longestCharacter;
    if (!complete && !overdue) {
      return this.giveOut(text.replace(unfinished, ""));
    }
    const piece = this.giveOut(text);
    const last = this.window.slice(this.boundary);
    // Tokens without text are no context: what follows them would be decoded as the start of a
    // text.
    if (this.decode(last) !== "") this.window = last;
    this.boundary = this.window.length;
    this.given = this.decode(this.window).length;
    return piece;
  }

  /** Returns what is held back, complete or not. */
  flush(): string {
    return this.giveOut(this.decode(this.window));
  }

  private giveOut(text: string): string {
    const piece = text.slice(this.given);
    this.given = Math.max(this.given, text.length);
    return piece;
  }
}

/** Finds stop strings in text that comes in pieces; text that may begin one is held back. */
export class StopStrings {
  private readonly stops: readonly string[];
  private held = "";

  /** Empty strings are ignored. */
  constructor(stops: readonly string[]) {
    this.stops = stops.filter((stop) => stop !== "");
  }

  /** Takes text; returns what can be shown now, and whether a stop string came after it. */
  push(piece: string): { readonly text: string; readonly stopped: boolean } {
    const text = this.held + piece;
    const found = this.stops.map((stop) => text.indexOf(stop)).filter((at) => at >= 0);
    if (found.length > 0) {
      this.held = "";
      return { text: text.slice(0, Math.min(...found)), stopped: true };
    }
    const keep = this.openLength(text);
    this.held = text.slice(text.length - keep);
    return { text: text.slice(0, text.length - keep), stopped: false };
  }

  /** Returns what is held back. */
  flush(): string {
    const text = this.held;
    this.held = "";
    return text;
  }

  /** Length of the longest end of `text` that a stop string begins with. */
  private openLength(text: string): number {
    const longest = Math.max(0, ...this.stops.map((stop) => stop.length - 1));
    for (let length = Math.min(longest, text.length); length > 0; length--) {
      const end = text.slice(text.length - length);
      if (this.stops.some((stop) => stop.startsWith(end))) return length;
    }
    return 0;
  }
}
