import type { Draw } from "./draw.ts";
import { capitalize, enumerate, possessive, pronoun, withArticle } from "./grammar.ts";
import {
  animals,
  colours,
  destinations,
  folk,
  foods,
  people,
  spots,
  tastes,
  things,
} from "./vocabulary.ts";

/** A short story with a beginning, a small trouble and an end. */
export function storyPassage(draw: Draw): string {
  const story = draw.pick([lostThing, newFriend, meal, gift]);
  const parts = [...story(draw)];
  if (draw.chance(0.3)) parts.push(draw.pick(morals));
  return parts.join(" ");
}

const morals = [
  "It was a good day.",
  "Everybody was happy.",
  "That is how it was.",
  "And they remembered that day for a long time.",
];

/** Something is lost, looked for at the wrong places, and found. */
function* lostThing(draw: Draw): Generator<string> {
  const [person, thing] = draw.pair(people, things);
  const friend = draw.pickOther(people, [person]);
  const colour = draw.partner(things, thing, colours);
  const spot = draw.partner(things, thing, spots);
  const subject = pronoun(person);
  yield `${person.name} had ${withArticle(colour)} ${thing.one}.`;
  yield `One day ${subject} could not find it.`;
  if (draw.chance(0.7)) yield `"Where is my ${thing.one}?" asked ${person.name}.`;
  const wrong = draw.some(draw.partners(things, thing, spots), 2).filter((other) => other !== spot);
  for (const place of wrong) yield `${capitalize(subject)} looked ${place}, but it was not there.`;
  yield `Then ${friend.name} came to help ${person.she ? "her" : "him"}.`;
  yield `${friend.name} looked ${spot}. There was the ${colour} ${thing.one}!`;
  yield `"Thank you, ${friend.name}," said ${person.name}.`;
  if (draw.chance(0.6)) {
    yield `What did ${person.name} lose? ${capitalize(subject)} lost ${possessive(person)} ${thing.one}.`;
  }
  if (draw.chance(0.6)) yield `Who found the ${thing.one}? ${friend.name} found it.`;
}

/** Somebody meets an animal that is unhappy, helps it, and they become friends. */
function* newFriend(draw: Draw): Generator<string> {
  const [person, animal] = draw.pair(people, animals);
  const place = draw.pick(destinations);
  const food = draw.partner(animals, animal, foods);
  const colour = draw.pick(colours);
  const subject = pronoun(person);
  yield `${person.name} went to the ${place}.`;
  yield `There ${subject} saw ${withArticle(colour)} ${animal.one}.`;
  const trouble = draw.pick(["hungry", "tired", "sad", "afraid", "thirsty"]);
  yield `The ${animal.one} was ${trouble}.`;
  if (draw.chance(0.5)) yield `"Why are you ${trouble}, ${animal.one}?" asked ${person.name}.`;
  yield `${person.name} gave ${withArticle(food.one)} to the ${animal.one}.`;
  yield `Now the ${animal.one} was not ${trouble}. It was happy.`;
  yield `The ${animal.one} and ${person.name} became friends.`;
  if (draw.chance(0.6))
    yield `What did ${person.name} see at the ${place}? It was the ${animal.one}.`;
}

/** Somebody buys food, cooks, and eats with a guest. */
function* meal(draw: Draw): Generator<string> {
  const [person, first] = draw.pair(people, foods);
  const second = draw.partner(people, person, foods, [first]);
  const guest = draw.pick(folk);
  const subject = pronoun(person);
  yield `${person.name} went to the market and bought ${enumerate([`some ${first.many}`, `some ${second.many}`])}.`;
  yield `At home ${subject} washed the ${first.many} and cut the ${second.many}.`;
  yield `Then ${subject} made a soup with the ${enumerate([first.many, second.many])}.`;
  yield `The ${guest.one} came to eat with ${person.name}.`;
  const [good, bad] = draw.pick(tastes);
  yield draw.chance(0.5) ? `The soup was ${good}.` : `The soup was not ${bad}. It was ${good}.`;
  yield `"This is a good soup, ${person.name}," said the ${guest.one}.`;
  if (draw.chance(0.6)) yield `Who ate with ${person.name}? It was the ${guest.one}.`;
}

/** A present goes from one to another, who gives something back. */
function* gift(draw: Draw): Generator<string> {
  const [giver, thing] = draw.pair(people, things);
  const receiver = draw.pickOther(people, [giver]);
  const back = draw.partner(people, receiver, things, [thing]);
  const colour = draw.partner(things, thing, colours);
  yield `It was the birthday of ${receiver.name}.`;
  yield `${giver.name} gave ${receiver.she ? "her" : "him"} ${withArticle(colour)} ${thing.one}.`;
  yield `"What a beautiful ${thing.one}!" said ${receiver.name}. "${capitalize(colour)} is my favourite colour."`;
  yield `The next day ${receiver.name} gave ${giver.she ? "her" : "him"} ${withArticle(back.one)}.`;
  yield `Now ${giver.name} has the ${back.one} and ${receiver.name} has the ${thing.one}.`;
  if (draw.chance(0.6)) {
    yield `Who has the ${thing.one}? The ${thing.one} is with ${receiver.name}.`;
  }
}
