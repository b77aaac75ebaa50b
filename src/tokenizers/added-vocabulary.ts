import { FormatError } from "../util/errors.ts";
import type { FoundToken } from "./added-tokens.ts";
import type { TokenModel } from "./token-model.ts";
import type { AddedToken } from "./tokenizer-definition.ts";
import { largestId } from "./vocabulary.ts";

/**
 * Gives added tokens their ids, as the tokenizers library does: the model's own id where its
 * vocabulary has the token, else the next one that is free. The ids that a file states are not
 * asked. `lists` are added one after the other. Of two tokens of one text the later counts.
 * @throws FormatError when there are no ids left
 */
export function numberAddedTokens(
  lists: readonly (readonly AddedToken[])[],
  model: TokenModel,
): ReadonlyMap<number, FoundToken> {
  const ids = new Map<string, number>();
  const specials = new Set<string>();
  const byId = new Map<number, FoundToken>();
  for (const tokens of lists) {
    let next = model.size;
    for (const id of byId.keys()) next = Math.max(next, id + 1);
    for (const { content, onlyIfNew, normalized, special, ...flags } of tokens) {
      if (content === "" || (onlyIfNew && ids.has(content))) continue;
      const id = ids.get(content) ?? model.tokenToId(content) ?? next++;
      if (id > largestId) throw new FormatError(`there is no id left for the token "${content}"`);
      // Once special, always special.
      if (special) specials.add(content);
      const isSpecial = specials.has(content);
      const found = { ...flags, content, normalized: normalized ?? !special, special: isSpecial };
      byId.set(id, { ...found, id });
      ids.set(content, id);
    }
  }
  return byId;
}
