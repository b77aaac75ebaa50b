import type { Draw } from "./draw.ts";
import { count, largestNumber, numberWord, pronoun, sentence } from "./grammar.ts";
import type { Question } from "./item.ts";
import { foods, type Noun, people, type Person } from "./vocabulary.ts";

const most = 12;
const gains = ["gets", "finds", "buys", "picks"];
const losses = ["eats", "loses", "sells", "gives away"];

interface Change {
  readonly told: string;
  readonly after: number;
}

/** Somebody gets more of something or gives some away, and it is said how many there are then. */
export function countingPassage(draw: Draw): string {
  const told: string[] = [];
  const parts = draw.between(1, 2);
  for (let part = 0; part < parts; part++) {
    const [person, food] = draw.pair(people, foods);
    let has = draw.between(1, 8);
    told.push(begin(person, food, has));
    const changes = draw.between(2, 4);
    for (let step = 0; step < changes; step++) {
      const change = changeBy(draw, person, food, has);
      has = change.after;
      told.push(change.told, `Now ${pronoun(person)} has ${count(has, food)}.`);
    }
    if (draw.chance(0.5)) told.push(howMany(person, food, has));
    if (draw.chance(0.4)) told.push(...share(draw, person, food, has));
  }
  return told.join(" ");
}

/** Asks how many of something somebody has after one or two changes. */
export function countingQuestion(draw: Draw): Question {
  const [person, food] = draw.pair(people, foods);
  for (;;) {
    const start = draw.between(2, 8);
    const first = changeBy(draw, person, food, start);
    const told = [begin(person, food, start), first.told];
    let has = first.after;
    if (draw.chance(0.4)) {
      told.push(`Now ${pronoun(person)} has ${count(has, food)}.`);
      const second = changeBy(draw, person, food, has);
      told.push(second.told);
      has = second.after;
    }
    // One or none would show by its form.
    if (has < 2) continue;
    const wrong = draw.some(near(has), 3).map((number) => `${count(number, food)}.`);
    const query = `${told.join(" ")} Now ${pronoun(person)} has`;
    return { query, answer: `${count(has, food)}.`, wrong };
  }
}

/** Sums, differences, doubles and neighbours of small numbers. */
export function arithmeticPassage(draw: Draw): string {
  const lines = draw.between(5, 9);
  return Array.from({ length: lines }, () => fact(draw)).join(" ");
}

function fact(draw: Draw): string {
  const a = draw.between(0, 10);
  const b = draw.between(0, 10);
  const word = numberWord;
  const facts = [
    () => `${word(a)} plus ${word(b)} is ${word(a + b)}`,
    () => `${word(a + b)} minus ${word(b)} is ${word(a)}`,
    () => `twice ${word(a)} is ${word(2 * a)}`,
    () => `half of ${word(2 * a)} is ${word(a)}`,
    () => `after ${word(a)} comes ${word(a + 1)}`,
    () => `before ${word(a + 1)} comes ${word(a)}`,
    () => `${word(Math.max(a, b) + 1)} is more than ${word(a)}`,
    () => `${word(a)} is less than ${word(Math.max(a, b) + 1)}`,
  ];
  // Sums and differences are what the stories need.
  return sentence(draw.chance(0.6) ? draw.pick(facts.slice(0, 2))() : draw.pick(facts)());
}

function begin(person: Person, food: Noun, has: number): string {
  return `${person.name} has ${count(has, food)}.`;
}

function changeBy(draw: Draw, person: Person, { one, many }: Noun, has: number): Change {
  const subject = pronoun(person);
  const grows = has === 0 || (has < most && draw.chance(0.55));
  const by = grows ? draw.between(1, Math.min(5, most - has)) : draw.between(1, Math.min(5, has));
  const noun = by === 1 ? one : many;
  const told = grows
    ? `${subject} ${draw.pick(gains)} ${numberWord(by)} more ${noun}`
    : `${subject} ${draw.pick(losses)} ${numberWord(by)} of them`;
  return { told: sentence(told), after: grows ? has + by : has - by };
}

function howMany(person: Person, food: Noun, has: number): string {
  return `How many ${food.many} does ${person.name} have? ${person.name} has ${count(has, food)}.`;
}

/** A second person with as much, and the sum of both. */
function share(draw: Draw, person: Person, food: Noun, has: number): string[] {
  const other = draw.partner(foods, food, people, [person]);
  const theirs = draw.between(1, Math.min(8, largestNumber - has));
  return [
    `${other.name} has ${count(theirs, food)}.`,
    `Together ${person.name} and ${other.name} have ${count(has + theirs, food)}.`,
  ];
}

/** The numbers close to another, from two on. */
function near(value: number): number[] {
  const offsets = [-3, -2, -1, 1, 2, 3];
  return offsets.map((offset) => value + offset).filter((number) => number >= 2);
}
