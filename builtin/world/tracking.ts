import type { Draw } from "./draw.ts";
import { House } from "./house.ts";
import type { Question } from "./item.ts";
import { remarks, spots } from "./vocabulary.ts";

/** Things are taken, given and put somewhere; in between it is asked where they are. */
export function trackingPassage(draw: Draw): string {
  const house = new House(draw, draw.between(2, 4), draw.between(2, 4));
  const told = house.begin();
  const rounds = draw.between(4, 6);
  for (let round = 0; round < rounds; round++) {
    const events = draw.between(0, 2);
    for (let event = 0; event < events; event++) told.push(house.happen());
    if (draw.chance(0.15)) told.push(draw.pick(remarks));
    const question = house.ask(draw.pick(["where", "where", "who", "room"] as const));
    if (question) told.push(`${question.query} ${question.answer}`);
  }
  return told.join(" ");
}

/** Asks where a thing is after a few events; one of the wrong spots was named, two were not. */
export function whereQuestion(draw: Draw): Question {
  const question = askAfterEvents(draw, "where");
  const isNamed = (answer: string): boolean => question.query.includes(answer.slice(0, -1));
  const others = draw.shuffle(spots).map((spot) => `${spot}.`);
  const named = others.filter((other) => isNamed(other) && other !== question.answer);
  const unnamed = others.filter((other) => !isNamed(other));
  return { ...question, wrong: [...named.slice(0, 1), ...unnamed].slice(0, 3) };
}

/** Asks who has a thing after a few events; three people are there. */
export function whoQuestion(draw: Draw): Question {
  return askAfterEvents(draw, "who");
}

function askAfterEvents(draw: Draw, wish: "where" | "who"): Question {
  for (;;) {
    const house = new House(draw, 3, draw.between(2, 3));
    const told = house.begin();
    const events = draw.between(3, 6);
    for (let event = 0; event < events; event++) told.push(house.happen());
    const question = house.ask(wish);
    if (wish === "who" && house.namedPersons.size < house.persons.length) continue;
    if (question) return { ...question, query: `${told.join(" ")} ${question.query}` };
  }
}
