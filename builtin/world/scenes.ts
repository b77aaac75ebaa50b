import type { Draw } from "./draw.ts";
import { present, sentence, withArticle } from "./grammar.ts";
import type { Question } from "./item.ts";
import {
  actions,
  animals,
  characters,
  colours,
  deeds,
  folk,
  type Noun,
  sights,
  times,
  type Verb,
} from "./vocabulary.ts";

const beings: readonly Noun[] = [...animals, ...folk];
const links = ["near", "behind", "beside", "next to", "in front of", "with"];

/** What people and animals do; often other nouns stand between subject and verb. */
export function scenesPassage(draw: Draw): string {
  const lines = draw.between(4, 8);
  return Array.from({ length: lines }, () => scene(draw)).join(" ");
}

/** One sentence with a subject, perhaps interrupted, and its verb. */
export function scene(draw: Draw): string {
  const plural = draw.chance(0.5);
  const [being, verb] = draw.pair(beings, actions);
  const subject = subjectPhrase(draw, being, plural, draw.chance(0.6));
  const forms = [
    () => `${subject} ${present(verb, plural)} ${draw.pick(times)}`,
    () => `${subject} ${plural ? "are" : "is"} ${verb.ing} ${draw.pick(times)}`,
    () => `${subject} ${plural ? "do" : "does"} not ${verb.base} ${draw.pick(times)}`,
    () => `${subject} ${plural ? "are" : "is"} ${draw.pick(draw.pick(characters))}`,
    () =>
      `${subject} ${plural ? "have" : "has"} ${withArticle(draw.pick(colours))} ` +
      `${draw.pick(sights).one}`,
    () => `${subject} ${verb.past} ${draw.pick(times)}`,
    () => `${subject} ${plural ? "were" : "was"} ${verb.ing} yesterday`,
  ];
  // The plain present is what shows whether the verb agrees.
  return sentence(draw.chance(0.4) ? (forms[0]?.() ?? "") : draw.pick(forms)());
}

/** Asks for the form of a verb across a phrase of the other number. */
export function agreementQuestion(draw: Draw): Question {
  const plural = draw.chance(0.5);
  const [being, verb] = draw.pair(beings, actions);
  const query = sentence(subjectPhrase(draw, being, plural, true)).slice(0, -1);
  const time = draw.pick(times);
  const ending = (many: boolean): string => `${present(verb, many)} ${time}.`;
  return { query, answer: ending(plural), wrong: [ending(!plural)] };
}

/** `the dogs`, or with another noun of the other number after it: `the dogs near the old house`. */
function subjectPhrase(draw: Draw, being: Noun, plural: boolean, interrupted: boolean): string {
  const adjective = draw.chance(0.4) ? `${draw.pick(draw.pick(characters))} ` : "";
  const subject = `the ${adjective}${form(being, plural)}`;
  if (!interrupted) return subject;
  const isSight = draw.chance(0.5);
  const other = isSight ? draw.pick(sights) : draw.pickOther(beings, [being]);
  const otherPlural = draw.chance(0.85) ? !plural : plural;
  const decoration = isSight ? draw.pick(colours) : draw.pick(draw.pick(characters));
  const phrase = `the ${draw.chance(0.4) ? `${decoration} ` : ""}${form(other, otherPlural)}`;
  if (draw.chance(0.6)) return `${subject} ${draw.pick(links)} ${phrase}`;
  return `${subject} ${relativeClause(draw, draw.pick(deeds), phrase, plural, otherPlural)}`;
}

/** `that see the cat` agrees with the subject, `that the cat sees` with the other noun. */
function relativeClause(
  draw: Draw,
  deed: Verb,
  phrase: string,
  plural: boolean,
  otherPlural: boolean,
): string {
  return draw.chance(0.5)
    ? `that ${present(deed, plural)} ${phrase}`
    : `that ${phrase} ${present(deed, otherPlural)}`;
}

function form(noun: Noun, plural: boolean): string {
  return plural ? noun.many : noun.one;
}
