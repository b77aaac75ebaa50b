import type { ToolFormat } from "./tool-format.ts";

/** What a text turns out to be as it comes. */
export type ToolEvent =
  | { readonly type: "content"; readonly text: string }
  | { readonly type: "call"; readonly call: number; readonly name: string }
  | { readonly type: "arguments"; readonly call: number; readonly text: string };

type Place = "content" | "head" | "arguments" | "tail";

/** Tells calls of functions from what else a model writes, piece by piece. */
export class ToolCallReader {
  private readonly format: ToolFormat;
  private readonly names: readonly string[];
  private place: Place = "content";
  private held = "";
  private calls = 0;
  private scanner = new ValueScanner();

  constructor(format: ToolFormat, names: readonly string[]) {
    this.format = format;
    this.names = names;
  }

  /** How many calls have begun. */
  get count(): number {
    return this.calls;
  }

  /** Takes a piece of the text; returns what is certain now. */
  push(piece: string): ToolEvent[] {
    this.held += piece;
    const events: ToolEvent[] = [];
    for (;;) {
      const before = this.held.length;
      const from = this.place;
      events.push(...this.step());
      if (this.place === from && this.held.length === before) return events;
    }
  }

  /** Returns what is left at the end of the text; a further call that was cut before its name is nothing. */
  finish(): ToolEvent[] {
    const text = this.held;
    const isContent = this.place === "content" || this.place === "head";
    this.held = "";
    return isContent && text !== "" && !this.beginsCall(text) ? [{ type: "content", text }] : [];
  }

  /** Whether a text behind a call is the beginning of the next one. */
  private beginsCall(text: string): boolean {
    const { separator, begin } = this.format;
    const begins = this.names.flatMap((name) => [begin(name), separator + begin(name)]);
    return this.calls > 0 && begins.some((each) => each.startsWith(text));
  }

  private step(): ToolEvent[] {
    if (this.place === "content") return this.readContent();
    if (this.place === "head") return this.readHead();
    if (this.place === "arguments") return this.readArguments();
    return this.readTail();
  }

  private readContent(): ToolEvent[] {
    const { trigger, separator } = this.format;
    // What stands between two calls is no answer.
    if (this.calls > 0 && this.held.startsWith(separator)) {
      const rest = this.held.slice(separator.length);
      if (rest.startsWith(trigger)) this.held = rest;
      else if (trigger.startsWith(rest)) return [];
    }
    const at = this.held.indexOf(trigger);
    const end = at >= 0 ? at : this.held.length - openLength(this.held, trigger);
    if (at >= 0) this.place = "head";
    return this.take(end, (text) => ({ type: "content", text }));
  }

  private readHead(): ToolEvent[] {
    const begins = this.names.map((name) => ({ name, begin: this.format.begin(name) }));
    const found = begins.find(({ begin }) => this.held.startsWith(begin));
    if (found) {
      this.held = this.held.slice(found.begin.length);
      this.place = "arguments";
      this.scanner = new ValueScanner();
      return [{ type: "call", call: this.calls++, name: found.name }];
    }
    if (begins.some(({ begin }) => begin.startsWith(this.held))) return [];
    // Not a call after all: the trigger is text.
    this.place = "content";
    return this.take(this.format.trigger.length, (text) => ({ type: "content", text }));
  }

  private readArguments(): ToolEvent[] {
    const end = this.scanner.scan(this.held);
    const call = this.calls - 1;
    if (this.scanner.isDone) this.place = "tail";
    return this.take(end, (text) => ({ type: "arguments", call, text }));
  }

  private readTail(): ToolEvent[] {
    const { end } = this.format;
    if (this.held.length < end.length && end.startsWith(this.held)) return [];
    if (this.held.startsWith(end)) this.held = this.held.slice(end.length);
    this.place = "content";
    return [];
  }

  private take(length: number, make: (text: string) => ToolEvent): ToolEvent[] {
    const text = this.held.slice(0, length);
    this.held = this.held.slice(length);
    return text === "" ? [] : [make(text)];
  }
}

/** Length of the longest end of `text` that `trigger` begins with. */
function openLength(text: string, trigger: string): number {
  for (let length = Math.min(trigger.length - 1, text.length); length > 0; length--) {
    if (trigger.startsWith(text.slice(text.length - length))) return length;
  }
  return 0;
}

/** Finds the end of a JSON object that comes in pieces. */
class ValueScanner {
  isDone = false;
  private depth = 0;
  private inString = false;
  private isEscaped = false;

  /** Takes a piece; returns how much of it belongs to the object. */
  scan(piece: string): number {
    for (let at = 0; at < piece.length; at++) {
      this.take(piece[at]);
      if (this.isDone) return at + 1;
    }
    return piece.length;
  }

  private take(character: string): void {
    if (this.isEscaped) this.isEscaped = false;
    else if (this.inString) {
      this.isEscaped = character === "\\";
      this.inString = character !== '"';
    } else if (character === '"') this.inString = true;
    else if (character === "{" || character === "[") this.depth++;
    else if (character === "}" || character === "]") {
      this.depth--;
      this.isDone = this.depth === 0;
    }
  }
}
