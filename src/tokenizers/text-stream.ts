import type { Tokenizer } from "./tokenizer.ts";

/** A character needs at most four byte tokens; after more than this, what is there is not UTF-8. */
const longestWait = 8;
const replacement = "\ufffd";

/**
 * Turns ids into text as they come. A token can be a part of a character, and a decoder can treat the
 * first token apart (the space that is dropped), so each step decodes the last tokens again, and gives
 * out what the newest one added once it ends on a whole character.
 */
export class TextStream {
  private readonly tokenizer: Tokenizer;
  private readonly skipSpecial: boolean;
  private readonly ids: number[] = [];
  /** Tokens from here are decoded each time; those before `given` were given out already. */
  private context = 0;
  private given = 0;

  constructor(tokenizer: Tokenizer, options: { skipSpecial?: boolean } = {}) {
    this.tokenizer = tokenizer;
    this.skipSpecial = options.skipSpecial ?? true;
  }

  /**
   * Takes ids that stand before the streamed ones, such as a prompt's, without giving out their text, so
   * that the first streamed token keeps its leading space.
   */
  start(ids: ArrayLike<number>): void {
    for (let i = Math.max(0, ids.length - longestWait); i < ids.length; i++) this.ids.push(ids[i]);
    this.given = this.ids.length;
  }

  /** Takes the next id and returns the text that is certain now; empty within a character. */
  push(id: number): string {
    this.ids.push(id);
    const before = this.decode(this.given);
    const all = this.decode(this.ids.length);
    const isWhole = !all.endsWith(replacement) || this.ids.length - this.given > longestWait;
    if (!isWhole || all.length <= before.length) return "";
    this.context = this.given;
    this.given = this.ids.length;
    this.forget();
    return all.slice(before.length);
  }

  /** Returns what was held back: the bytes of a character that never became whole. */
  finish(): string {
    const before = this.decode(this.given);
    const rest = this.decode(this.ids.length).slice(before.length);
    this.context = this.given = this.ids.length;
    return rest;
  }

  private decode(end: number): string {
    return this.tokenizer.decode(this.ids.slice(this.context, end), {
      skipSpecial: this.skipSpecial,
    });
  }

  /** Drops ids that are not decoded again, so that a step costs the same after a million tokens. */
  private forget(): void {
    this.ids.splice(0, this.context);
    this.given -= this.context;
    this.context = 0;
  }
}
