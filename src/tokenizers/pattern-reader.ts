import { UnsupportedError } from "../util/errors.ts";
import { shortValue } from "../util/parse-value.ts";

/** Most groups and classes within each other. */
const deepest = 200;

/** Goes through the characters of a pattern. */
export class PatternReader {
  readonly source: string;
  private readonly place: string;
  private at = 0;
  private depth = 0;

  constructor(source: string, place: string) {
    this.source = source;
    this.place = place;
  }

  get atEnd(): boolean {
    return this.at >= this.source.length;
  }

  /** The next character (a whole code point); empty at the end. */
  peek(): string {
    const code = this.source.codePointAt(this.at);
    return code === undefined ? "" : String.fromCodePoint(code);
  }

  /** Takes the next character; empty at the end. */
  next(): string {
    const character = this.peek();
    this.at += character.length;
    return character;
  }

  /** Takes `text` if it comes next. */
  take(text: string): boolean {
    if (!this.source.startsWith(text, this.at)) return false;
    this.at += text.length;
    return true;
  }

  /** Takes what a sticky expression matches here. */
  match(expression: RegExp): RegExpExecArray | null {
    expression.lastIndex = this.at;
    const found = expression.exec(this.source);
    if (found) this.at += found[0].length;
    return found;
  }

  /** The next `count` units, not taken. */
  rest(count: number): string {
    return this.source.slice(this.at, this.at + count);
  }

  /** Whether `text` comes anywhere after the next `skip` units. */
  restHas(text: string, skip: number): boolean {
    return this.source.includes(text, this.at + skip);
  }

  /** Takes everything up to `end`, and `end`. @throws UnsupportedError when it does not come */
  until(end: string): string {
    const stop = this.source.indexOf(end, this.at);
    if (stop < 0) return this.refuse(`something that "${end}" does not end`);
    const taken = this.source.slice(this.at, stop);
    this.at = stop + end.length;
    return taken;
  }

  /** Begins a group or a class. @throws UnsupportedError for one that stands too deep in others */
  enter(): void {
    if (++this.depth > deepest) this.refuse(`groups within ${deepest} others`);
  }

  /** Ends a group or a class. */
  leave(): void {
    this.depth--;
  }

  /** Refuses the pattern for what stands in it. @throws UnsupportedError always */
  refuse(construct: string): never {
    throw new UnsupportedError(
      `${this.place}: the pattern ${shortValue(this.source)} has ${construct}, which fewbit ` +
        "does not know",
    );
  }
}
