import { isDeepStrictEqual } from "node:util";
import { FewbitError } from "../../src/util/errors.ts";
import { Prng } from "../../src/util/prng.ts";
import type { Json, Subject } from "./subject.ts";

/** Answers of a library to generated cases, as they are stored. */
export interface ReferenceAnswers {
  readonly seed: number;
  readonly versions: { readonly [name: string]: string };
  readonly cases: readonly Json[];
  readonly answers: readonly Json[];
}

/** A case that fewbit answers in another way. */
export interface Difference {
  readonly index: number;
  readonly input: Json;
  readonly ours: Json;
  readonly theirs: Json;
}

/** The answer for an input that is refused, whatever the words. */
const refused: Json = { refused: true };

/** Draws `count` cases; each has a generator of its own, so that one can be made again alone. */
export function makeCases(subject: Subject, count: number, seed: number): Json[] {
  return Array.from({ length: count }, (_, index) =>
    subject.makeCase(index, new Prng(seed * 1_000_003 + index)),
  );
}

async function answerOf(subject: Subject, input: Json): Promise<Json> {
  try {
    return await subject.answer(input);
  } catch (error) {
    if (error instanceof FewbitError) return refused;
    throw error;
  }
}

/** Answers every case and returns those where the library answered otherwise. */
export async function findDifferences(
  subject: Subject,
  { cases, answers }: ReferenceAnswers,
): Promise<Difference[]> {
  const found: Difference[] = [];
  for (const [index, input] of cases.entries()) {
    const ours = await answerOf(subject, input);
    const theirs = answers[index];
    const agree = subject.agree?.(ours, theirs, input) ?? isDeepStrictEqual(ours, theirs);
    if (!agree) found.push({ index, input, ours, theirs });
  }
  return found;
}
