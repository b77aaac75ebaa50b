import type { Draw } from "./draw.ts";
import { sentence } from "./grammar.ts";
import { colours, people, spots, things } from "./vocabulary.ts";

/**
 * A few facts of one kind, then the same facts in other orders: what a thing is like, where it is
 * or whose it is has to be looked up where it was said first.
 */
export function reviewPassage(draw: Draw): string {
  const property = draw.pick([
    (row: number) => draw.partner(things, listed[row] ?? things[0], colours),
    (row: number) => draw.partner(things, listed[row] ?? things[0], spots),
    () => `with ${draw.pick(people).name}`,
  ]);
  const listed = draw.some(things, draw.between(3, 6));
  const facts = listed.map((thing, row) => sentence(`the ${thing.one} is ${property(row)}`));
  const rounds = draw.between(1, 3);
  const reviews = Array.from({ length: rounds }, () => draw.shuffle(facts));
  return [...facts, ...reviews.flat()].join(" ");
}
