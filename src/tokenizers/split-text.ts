/**
 * Cutting text into pieces lazily, with the five behaviours of the `tokenizers` library's `Split`:
 * what happens to the parts that a pattern matches.
 */
export type SplitBehavior =
  | "removed"
  | "isolated"
  | "mergedWithPrevious"
  | "mergedWithNext"
  | "contiguous";

/** A rule that cuts text at the matches of a pattern. */
export interface SplitRule {
  /** Global (`g`) and, where it has classes, Unicode (`u`). */
  readonly pattern: RegExp;
  readonly behavior: SplitBehavior;
  /** Whether matches and the gaps between them change roles. */
  readonly invert: boolean;
}

interface Part {
  readonly start: number;
  readonly end: number;
  readonly isMatch: boolean;
}

function* parts(text: string, rule: SplitRule): Generator<Part> {
  let end = 0;
  for (const match of text.matchAll(rule.pattern)) {
    const { index } = match;
    const { length } = match[0];
    if (index > end) yield { start: end, end: index, isMatch: rule.invert };
    if (length > 0) yield { start: index, end: index + length, isMatch: !rule.invert };
    end = index + length;
  }
  if (end < text.length) yield { start: end, end: text.length, isMatch: rule.invert };
}

function* joinAdjacent(
  all: Iterable<Part>,
  joins: (previous: Part, next: Part) => boolean,
): Generator<Part> {
  let held: Part | null = null;
  for (const part of all) {
    if (held && joins(held, part)) {
      held = { start: held.start, end: part.end, isMatch: part.isMatch };
    } else {
      if (held) yield held;
      held = part;
    }
  }
  if (held) yield held;
}

function arrange(all: Generator<Part>, behavior: SplitBehavior): Iterable<Part> {
  switch (behavior) {
    case "mergedWithPrevious":
      return joinAdjacent(all, (previous, next) => next.isMatch && !previous.isMatch);
    case "mergedWithNext":
      return joinAdjacent(all, (previous, next) => previous.isMatch && !next.isMatch);
    case "contiguous":
      return joinAdjacent(all, (previous, next) => previous.isMatch === next.isMatch);
    default:
      return all;
  }
}

/** Cuts `text` by `rule` lazily. Together the pieces are the text, unless it is `removed`. */
export function* splitText(text: string, rule: SplitRule): Generator<string> {
  for (const part of arrange(parts(text, rule), rule.behavior)) {
    if (rule.behavior === "removed" && part.isMatch) continue;
    yield text.slice(part.start, part.end);
  }
}
