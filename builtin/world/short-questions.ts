import { type Draw, isHeldOut } from "./draw.ts";
import { capitalize, count, enumerate, numberWord, pronoun } from "./grammar.ts";
import type { Question } from "./item.ts";
import { days, foods, people, properties, sights, things } from "./vocabulary.ts";

/** Asks how a list continues that is read a second time. */
export function recallQuestion(draw: Draw): Question {
  const [writer, reader, ...listed] = draw.some(people, draw.between(7, 8)).map(({ name }) => name);
  const last = listed.length - 1;
  const asked = draw.between(1, last - 1);
  const start = listed.slice(0, asked).join(", ");
  const answer = listed[asked] ?? "";
  const wrong = draw.some(
    listed.filter((name) => name !== answer),
    3,
  );
  return {
    query: `${writer} calls ${enumerate(listed)}. ${reader} calls ${start},`,
    answer,
    wrong,
  };
}

/**
 * Asks for the contrary of a property, of something that the training text does not speak of so.
 */
export function oppositeQuestion(draw: Draw): Question {
  const nouns = [...things, ...sights];
  const row = draw.between(0, nouns.length - 1);
  const [first, second] = draw.pick(properties.filter((_, column) => isHeldOut(row, column)));
  const [said, answer] = draw.chance(0.5) ? [first, second] : [second, first];
  const others = properties.flat().filter((word) => word !== said && word !== answer);
  return {
    query: `The ${nouns[row]?.one} is not ${said}. It is`,
    answer: `${answer}.`,
    wrong: draw.some(others, 3).map((word) => `${word}.`),
  };
}

/** Asks for a sum or a difference of two numbers, told as those of two people. */
export function togetherQuestion(draw: Draw): Question {
  const food = draw.pick(foods);
  const [one, two] = draw.some(people, 2).map(({ name }) => name);
  const a = draw.between(2, 8);
  const b = draw.between(2, 8);
  const near = [-2, -1, 1, 2].map((offset) => a + b + offset);
  return {
    query:
      `${one} has ${count(a, food)}. ${two} has ${count(b, food)}. Together ${one} and ` +
      `${two} have`,
    answer: `${numberWord(a + b)} ${food.many}.`,
    wrong: draw.some(near, 3).map((value) => `${numberWord(value)} ${food.many}.`),
  };
}

/** Asks for the day after or before another. */
export function calendarQuestion(draw: Draw): Question {
  const day = draw.between(0, 6);
  const [query, offset] = draw.pick([
    [`Today is ${days[day]}. Tomorrow is`, 1],
    [`Today is ${days[day]}. Yesterday was`, 6],
    [`After ${days[day]} comes`, 1],
    [`Before ${days[day]} comes`, 6],
    [`Two days after ${days[day]} comes`, 2],
  ] as const);
  const answer = days[(day + offset) % 7] ?? "";
  const wrong = draw.some(
    days.filter((other) => other !== answer),
    3,
  );
  // In front of a fact that it has nothing to do with, so that no two questions are alike.
  const before = `${capitalize(numberWord(draw.between(2, 9)))} is more than one.`;
  return { query: `${before} ${query}`, answer: `${answer}.`, wrong: wrong.map((w) => `${w}.`) };
}

/** Asks whether somebody is she or he. */
export function pronounQuestion(draw: Draw): Question {
  const person = draw.pick(people);
  const food = draw.pick(foods);
  const right = pronoun(person);
  return {
    query: `${person.name} has ${count(draw.between(2, 8), food)}.`,
    answer: `${capitalize(right)} eats one of them.`,
    wrong: [`${capitalize(right === "she" ? "he" : "she")} eats one of them.`],
  };
}
