/**
 * Cutting text into pieces lazily, with the five behaviours of the `tokenizers` library's `Split`:
 * what happens to the parts that a pattern matches.
 */
import type { Pattern } from "./pattern.ts";

export const splitBehaviors = [
  "Removed",
  "Isolated",
  "MergedWithPrevious",
  "MergedWithNext",
  "Contiguous",
] as const;
export type SplitBehavior = (typeof splitBehaviors)[number];

/** A rule that cuts text at the matches of a pattern. */
export interface SplitRule {
  readonly pattern: Pattern;
  readonly behavior: SplitBehavior;
  /** Whether matches and the gaps between them change roles. */
  readonly invert: boolean;
}

/** A part of a text, from `start` to `end`. */
export interface Part {
  readonly start: number;
  readonly end: number;
}

interface MatchedPart extends Part {
  readonly isMatch: boolean;
}

/** Matches and gaps in order; an empty match is a part too, between two gaps. */
function* parts(text: string, { pattern, invert }: SplitRule): Generator<MatchedPart> {
  let last = 0;
  for (let match = pattern.findFrom(text, 0, -1); match; ) {
    const [start, end] = match;
    if (start > last) yield { start: last, end: start, isMatch: invert };
    yield { start, end, isMatch: !invert };
    last = end;
    match = pattern.findFrom(text, end, end);
  }
  if (last < text.length) yield { start: last, end: text.length, isMatch: invert };
}

function* joinAdjacent(
  all: Iterable<MatchedPart>,
  joins: (previous: MatchedPart, next: MatchedPart) => boolean,
): Generator<MatchedPart> {
  let held: MatchedPart | null = null;
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

function arrange(all: Generator<MatchedPart>, behavior: SplitBehavior): Iterable<MatchedPart> {
  switch (behavior) {
    case "MergedWithPrevious":
      return joinAdjacent(all, (previous, next) => next.isMatch && !previous.isMatch);
    case "MergedWithNext":
      return joinAdjacent(all, (previous, next) => previous.isMatch && !next.isMatch);
    case "Contiguous":
      return joinAdjacent(all, (previous, next) => previous.isMatch === next.isMatch);
    default:
      return all;
  }
}

/** Cuts `text` by `rule` lazily. Together the parts are the text, unless it is `Removed`. */
export function* splitText(text: string, rule: SplitRule): Generator<Part> {
  for (const part of arrange(parts(text, rule), rule.behavior)) {
    if (part.start < part.end && !(rule.behavior === "Removed" && part.isMatch)) yield part;
  }
}
