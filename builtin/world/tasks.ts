import { countingQuestion } from "./counting.ts";
import { comparingQuestion } from "./describing.ts";
import { Draw } from "./draw.ts";
import { type Item, type Question, toItem } from "./item.ts";
import { agreementQuestion } from "./scenes.ts";
import { whereQuestion, whoQuestion } from "./tracking.ts";
import {
  calendarQuestion,
  oppositeQuestion,
  pronounQuestion,
  recallQuestion,
  togetherQuestion,
} from "./short-questions.ts";

/** The tasks, each with what makes a question of it and the number of its choices. */
export const tasks: Readonly<Record<string, { ask: (draw: Draw) => Question; choices: number }>> = {
  agreement: { ask: agreementQuestion, choices: 2 },
  where: { ask: whereQuestion, choices: 4 },
  who: { ask: whoQuestion, choices: 3 },
  counting: { ask: countingQuestion, choices: 4 },
  comparing: { ask: comparingQuestion, choices: 3 },
  recall: { ask: recallQuestion, choices: 4 },
  opposites: { ask: oppositeQuestion, choices: 4 },
  together: { ask: togetherQuestion, choices: 4 },
  calendar: { ask: calendarQuestion, choices: 4 },
  pronouns: { ask: pronounQuestion, choices: 2 },
};

/**
 * Writes the items of a task: no query twice, the right answers' places balanced. All combinations
 * of words occur, since with those alone that training kept out every right answer would be one
 * that the training text speaks against.
 */
export function writeTask(name: string, seed: number, size: number): Item[] {
  const task = tasks[name];
  if (!task) throw new RangeError(`no task ${name}`);
  const draw = new Draw(seed + Object.keys(tasks).indexOf(name), "all");
  const golds = draw.shuffle(Array.from({ length: size }, (_, index) => index % task.choices));
  const seen = new Set<string>();
  return golds.map((gold) => {
    for (;;) {
      const question = task.ask(draw);
      if (seen.has(question.query)) continue;
      seen.add(question.query);
      return toItem(question, gold, draw);
    }
  });
}
