import type { Draw } from "./draw.ts";
import { capitalize, numberWord, pronoun } from "./grammar.ts";
import type { Question } from "./item.ts";
import { days, destinations, people } from "./vocabulary.ts";

/** The day that lies `offset` days after another. */
function dayAfter(day: number, offset: number): string {
  return days[(day + offset + 7 * days.length) % days.length] as string;
}

/** Somebody goes to places on days that follow each other; then it is asked when. */
export function weekPassage(draw: Draw): string {
  const told = draw.some(calendarFacts(draw), draw.between(1, 2));
  const journey = travel(draw, draw.between(3, 4));
  told.push(...journey.told);
  for (const { query, answer } of draw.some(journey.questions, 2)) told.push(`${query} ${answer}`);
  if (draw.chance(0.5)) told.push(...draw.some(calendarFacts(draw), 1));
  return told.join(" ");
}

function calendarFacts(draw: Draw): string[] {
  const day = draw.between(0, days.length - 1);
  const away = draw.between(2, 3);
  return [
    `Today is ${dayAfter(day, 0)}. Tomorrow is ${dayAfter(day, 1)}.`,
    `Today is ${dayAfter(day, 0)}. Yesterday was ${dayAfter(day, -1)}.`,
    `After ${dayAfter(day, 0)} comes ${dayAfter(day, 1)}.`,
    `Before ${dayAfter(day, 0)} comes ${dayAfter(day, -1)}.`,
    `${capitalize(numberWord(away))} days after ${dayAfter(day, 0)} comes ${dayAfter(day, away)}.`,
  ];
}

interface Journey {
  readonly told: readonly string[];
  /** One for each place. */
  readonly questions: readonly Question[];
}

function travel(draw: Draw, stops: number): Journey {
  const person = draw.pick(people);
  const places = draw.some(draw.partners(people, person, destinations), stops);
  const told: string[] = [];
  const questions: Question[] = [];
  let day = draw.between(0, days.length - 1);
  for (const [index, place] of places.entries()) {
    const away = index === 0 ? 0 : draw.between(1, 2);
    day += away;
    const subject = index === 0 ? person.name : pronoun(person);
    const when = index === 0 ? `On ${dayAfter(day, 0)}` : later(away);
    told.push(`${when} ${subject} went to the ${place}.`);
    const answer = dayAfter(day, 0);
    questions.push({
      query: `When was ${person.name} at the ${place}? ${capitalize(pronoun(person))} was there on`,
      answer: `${answer}.`,
      wrong: draw
        .some(
          days.filter((other) => other !== answer),
          3,
        )
        .map((other) => `${other}.`),
    });
  }
  return { told, questions };
}

function later(away: number): string {
  return away === 1 ? "The next day" : `${capitalize(numberWord(away))} days later`;
}
