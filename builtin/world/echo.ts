import type { Draw } from "./draw.ts";
import { count, enumerate, withArticle } from "./grammar.ts";
import { scene } from "./scenes.ts";
import { colours, foods, people, things } from "./vocabulary.ts";

/**
 * Something is said or written, and then repeated word for word. This teaches a model early to look
 * back for what came after the same words, which questions about things and places need too.
 */
export function echoPassage(draw: Draw): string {
  const form = draw.pick([list, row, saying]);
  const [first, second, third] = draw.some(people, 3).map(({ name }) => name);
  const lines = form(draw, [first ?? "", second ?? "", third ?? ""]);
  return lines.slice(0, draw.between(2, 3)).join(" ");
}

type Form = (draw: Draw, names: readonly [string, string, string]) => readonly string[];

const list: Form = (draw, [first, second, third]) => {
  const entries = Array.from({ length: draw.between(3, 6) }, () =>
    draw.chance(0.5)
      ? count(draw.between(1, 9), draw.pick(foods))
      : withArticle(`${draw.pick(colours)} ${draw.pick(things).one}`),
  );
  const all = enumerate(entries);
  return [
    `${first} writes a list: ${all}.`,
    `${second} reads the list: ${all}.`,
    `${third} gets ${all}.`,
  ];
};

const row: Form = (draw, [first, second, third]) => {
  const all = enumerate(draw.some(people, draw.between(4, 7)).map(({ name }) => name));
  return [
    `${first} calls ${all}.`,
    `${second} calls ${all}, too.`,
    `Now ${third} waits for ${all}.`,
  ];
};

const saying: Form = (draw, [first, second, third]) => {
  const said = scene(draw);
  return [`${first} says: "${said}"`, `${second} says: "${said}"`, `${third} says: "${said}"`];
};
