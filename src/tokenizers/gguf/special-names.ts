/*
 * What llama.cpp tells from the texts of tokens, since files say it seldom: which tokens end a text,
 * and which are control tokens whatever their type says (`src/llama-vocab.cpp`, August 2026).
 */

/** Each of these ends what a model writes. */
const endNames: ReadonlySet<string> = new Set([
  "<|eot_id|>",
  "<|im_end|>",
  "<|end|>",
  "<|return|>",
  "<|call|>",
  "<|flush|>",
  "<|calls|>",
  "<end_of_turn>",
  "<|endoftext|>",
  "</s>",
  "<|eom_id|>",
  "<EOT>",
  "_<EOT>",
  "[EOT]",
  "[EOS]",
  "<|end_of_text|>",
  "<end_of_utterance>",
  "<eos>",
  "<turn|>",
  "<|tool_response>",
  "<｜end▁of▁sentence｜>",
  "[e~[",
]);

/** Parts of prompts for filling in, which end a text, too. */
const fillNames: Readonly<Record<FillRole, ReadonlySet<string>>> = {
  fim_pad: new Set(["<|fim_pad|>", "<fim-pad>", "<fim_pad>", "<PAD>", "[PAD]"]),
  fim_rep: new Set(["<|fim_repo|>", "<|repo_name|>", "<fim-repo>", "<REPO>", "<reponame>"]),
  fim_sep: new Set(["<|file_sep|>"]),
};

/** Parts of prompts for filling in that do not end a text: they are control tokens. */
const otherFillNames: ReadonlySet<string> = new Set([
  ..."<|fim_prefix|> <fim-prefix> <fim_prefix> <｜fim▁begin｜> <PRE> ▁<PRE>".split(" "),
  ..."<|code_prefix|> <|prefix|>".split(" "),
  ..."<|fim_suffix|> <fim-suffix> <fim_suffix> <｜fim▁hole｜> <SUF> ▁<SUF>".split(" "),
  ..."<|code_suffix|> <|suffix|>".split(" "),
  ..."<|fim_middle|> <fim-middle> <fim_middle> <｜fim▁end｜> <MID> ▁<MID>".split(" "),
  ..."<|code_middle|> <|middle|>".split(" "),
]);

/** Tokens of gpt-oss that are always text. */
const textNames: ReadonlySet<string> = new Set([
  "<|channel|>",
  "<|message|>",
  "<|start|>",
  "<|constrain|>",
]);

/** Roles in prompts for filling in whose tokens end a text. */
export type FillRole = "fim_pad" | "fim_rep" | "fim_sep";
export const fillRoles: readonly FillRole[] = ["fim_pad", "fim_rep", "fim_sep"];

/** What the texts of tokens tell. */
export interface NamedTokens {
  /** Ids of tokens that end a text. */
  readonly ends: ReadonlySet<number>;
  /** Ids of tokens that are control tokens, whatever type they have. */
  readonly control: ReadonlySet<number>;
  /** Ids of tokens that are found in a text as user-defined ones, whatever type they have. */
  readonly text: ReadonlySet<number>;
}

/** Tells whether llama.cpp takes a token for the end of a text by its name alone. */
export function endsText(token: string): boolean {
  return endNames.has(token);
}

/**
 * Finds the tokens whose texts say what they are. `given`: the ids that the file gives for `fillRoles`;
 * where it gives one, no name is asked for that role.
 */
export function findNamedTokens(
  tokens: readonly string[],
  given: ReadonlyMap<FillRole, number>,
): NamedTokens {
  const ends = new Set<number>(given.values());
  const control = new Set<number>();
  const text = new Set<number>();
  const open = fillRoles.filter((role) => !given.has(role));
  for (const [id, token] of tokens.entries()) {
    if (!looksNamed(token)) continue;
    if (textNames.has(token)) text.add(id);
    if (endNames.has(token)) {
      ends.add(id);
      control.add(id);
    }
    if (otherFillNames.has(token)) control.add(id);
    const role = open.findIndex((each) => fillNames[each].has(token));
    if (role >= 0) {
      ends.add(id);
      control.add(id);
      open.splice(role, 1);
    }
  }
  return withoutExceptions(tokens, { ends, control, text });
}

/** All names begin so; a vocabulary has a quarter million tokens. */
const looksNamed = (token: string): boolean => /^[<[_▁]/.test(token);

/** `<|end|>` of gpt-oss and Solar ends a message, not a text; `</s>` is plain text for Gemma 4. */
function withoutExceptions(tokens: readonly string[], named: NamedTokens): NamedTokens {
  const ends = new Set(named.ends);
  const idOf = (token: string): number | undefined =>
    [...named.ends].find((id) => tokens[id] === token);
  const [back, flush, call] = [idOf("<|return|>"), idOf("<|flush|>"), idOf("<|call|>")];
  const calls = call ?? idOf("<|calls|>");
  const message = idOf("<|end|>");
  const text = new Set(named.text);
  if (message !== undefined && calls !== undefined && (back ?? flush) !== undefined) {
    ends.delete(message);
    text.add(message);
  }
  const control = new Set(named.control);
  const slash = idOf("</s>");
  if (slash !== undefined && idOf("<|tool_response>") !== undefined) {
    ends.delete(slash);
    control.delete(slash);
  }
  return { ends, control, text };
}
