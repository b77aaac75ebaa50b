import type { Draw } from "./draw.ts";
import { sentence, withArticle } from "./grammar.ts";
import type { Question } from "./item.ts";
import {
  characters,
  colours,
  folk,
  foods,
  materials,
  type Noun,
  people,
  properties,
  qualities,
  sights,
  tastes,
  things,
} from "./vocabulary.ts";

/** Things with colours and materials, then questions about them. */
export function attributePassage(draw: Draw): string {
  const scene = new Scene(draw, draw.between(3, 5));
  const told = scene.tell();
  for (const { query, answer } of draw.some(scene.questions(), draw.between(4, 6))) {
    told.push(`${query} ${answer}`);
  }
  if (draw.chance(0.5)) told.push(...materialSentences(draw));
  return told.join(" ");
}

/** A few things, each with a colour that no other has. */
class Scene {
  private readonly draw: Draw;
  private readonly coloured: { readonly thing: Noun; readonly colour: string }[] = [];

  constructor(draw: Draw, size: number) {
    this.draw = draw;
    for (const thing of draw.shuffle(things)) {
      const used = this.coloured.map(({ colour }) => colour);
      const free = draw.partners(things, thing, colours).filter((c) => !used.includes(c));
      if (free.length > 0) this.coloured.push({ thing, colour: draw.pick(free) });
      if (this.coloured.length === size) break;
    }
  }

  tell(): string[] {
    const { draw } = this;
    return this.coloured.map(({ thing, colour }) => {
      const forms = [
        () => `the ${thing.one} is ${colour}`,
        () => `the ${thing.one} is ${colour}`,
        () => `${draw.pick(people).name} has ${withArticle(colour)} ${thing.one}`,
        () => `there is ${withArticle(colour)} ${thing.one}`,
      ];
      return sentence(draw.pick(forms)());
    });
  }

  /** For each thing: what colour it is, and which thing has that colour. */
  questions(): Question[] {
    return this.coloured.flatMap((right) => {
      const { thing, colour } = right;
      const others = this.coloured.filter((entry) => entry !== right);
      return [
        {
          query: `What colour is the ${thing.one}? The ${thing.one} is`,
          answer: `${colour}.`,
          wrong: others.map((other) => `${other.colour}.`),
        },
        {
          query: `Which thing is ${colour}? It is the`,
          answer: `${thing.one}.`,
          wrong: others.map((other) => `${other.thing.one}.`),
        },
      ];
    });
  }
}

function materialSentences(draw: Draw): string[] {
  return draw.some(things, 2).map((thing) => {
    const material = draw.partner(things, thing, materials);
    return sentence(`the ${thing.one} is made of ${material}`);
  });
}

/** Three or four people in order of a quality, then who comes first and last. */
export function comparingPassage(draw: Draw): string {
  const told: string[] = [];
  const rounds = draw.between(1, 2);
  for (let round = 0; round < rounds; round++) {
    const chain = draw.chance(0.7) ? 3 : 4;
    const { facts, first, last, inferences } = compare(draw, chain);
    told.push(...draw.shuffle(facts));
    if (draw.chance(0.5)) told.push(draw.pick(inferences));
    const questions = draw.shuffle([first, last]);
    told.push(...questions.map(({ query, answer }) => `${query} ${answer}`));
  }
  return told.join(" ");
}

/** Asks who of three people comes first or last in a quality. */
export function comparingQuestion(draw: Draw): Question {
  const { facts, first, last } = compare(draw, 3);
  const question = draw.chance(0.5) ? first : last;
  return { ...question, query: `${draw.shuffle(facts).join(" ")} ${question.query}` };
}

interface Comparison {
  readonly facts: readonly string[];
  readonly inferences: readonly string[];
  readonly first: Question;
  readonly last: Question;
}

function compare(draw: Draw, size: number): Comparison {
  const { more, most, less, least } = draw.pick(qualities);
  const order = [draw.pick(people)];
  while (order.length < size)
    order.push(draw.partner(people, order.at(-1) ?? order[0], people, order));
  const names = order.map((person) => person?.name ?? "");
  const facts = names.slice(1).map((name, index) => {
    const before = names[index] ?? "";
    return draw.chance(0.5)
      ? `${before} is ${more} than ${name}.`
      : `${name} is ${less} than ${before}.`;
  });
  const [top = ""] = names;
  const bottom = names.at(-1) ?? "";
  const ask = (step: string, answer: string): Question => ({
    query: `Who is the ${step}? The ${step} is`,
    answer: `${answer}.`,
    wrong: names.filter((name) => name !== answer).map((name) => `${name}.`),
  });
  return {
    facts,
    inferences: [`So ${top} is ${more} than ${bottom}.`, `So ${bottom} is ${less} than ${top}.`],
    first: ask(most, top),
    last: ask(least, bottom),
  };
}

/** Contraries: `The soup is not hot. It is cold.` */
export function oppositesPassage(draw: Draw): string {
  const lines = draw.between(4, 7);
  return Array.from({ length: lines }, () => {
    const [noun, pair] = draw.pick([
      () => draw.pair([...things, ...sights], properties),
      () => draw.pair(folk, characters),
      () => draw.pair(foods, tastes),
    ])();
    const [first, second] = draw.chance(0.5) ? pair : [pair[1], pair[0]];
    const forms = [
      () => `The ${noun.one} is not ${first}. It is ${second}.`,
      () => `The opposite of ${first} is ${second}.`,
      () => `The ${noun.many} were ${first} once. Now they are ${second}.`,
    ];
    return draw.pick(forms)();
  }).join(" ");
}
