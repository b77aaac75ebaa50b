import type { LanguageModel } from "../../runtime/language-model.ts";
import { badRequest } from "../api-error.ts";

/** A prompt as ids, and its text. */
export interface Prompt {
  readonly ids: readonly number[];
  readonly text: string;
  /** Ids at its beginning that the text does not show: the start token, which was put there. */
  readonly hidden: number;
}

type TextsOrIds = string | readonly string[] | readonly number[] | readonly (readonly number[])[];

/** Texts begin with the model's start token; ids are taken as they are. @throws ApiError */
export function readPrompts(
  { tokenizer }: LanguageModel,
  value: TextsOrIds,
  param: string,
): Prompt[] {
  const { startIds } = tokenizer;
  const entries: readonly (string | readonly number[])[] = asList(value);
  if (entries.length === 0) throw badRequest(`\`${param}\` is empty`, param);
  return entries.map((entry) =>
    typeof entry === "string"
      ? { ids: [...startIds, ...tokenizer.encode(entry)], text: entry, hidden: startIds.length }
      : { ids: entry, text: tokenizer.decode(entry), hidden: 0 },
  );
}

function asList(value: TextsOrIds): readonly (string | readonly number[])[] {
  if (typeof value === "string") return [value];
  if (isIds(value)) return value.length === 0 ? [] : [value];
  return value;
}

function isIds(value: readonly unknown[]): value is readonly number[] {
  return value.every((each) => typeof each === "number");
}
