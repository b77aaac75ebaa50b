import { type FillRole, fillRoles, findNamedTokens, type NamedTokens } from "./special-names.ts";
import type { GgufVocabulary, TokenizerMetadata } from "./tokenizer-metadata.ts";

/** Roles of tokens, and the keys of the metadata that hold their ids (one is misspelled there). */
export const roleKeys = {
  bos: "tokenizer.ggml.bos_token_id",
  eos: "tokenizer.ggml.eos_token_id",
  eot: "tokenizer.ggml.eot_token_id",
  eom: "tokenizer.ggml.eom_token_id",
  unk: "tokenizer.ggml.unknown_token_id",
  sep: "tokenizer.ggml.seperator_token_id",
  pad: "tokenizer.ggml.padding_token_id",
  mask: "tokenizer.ggml.mask_token_id",
  fim_pad: "tokenizer.ggml.fim_pad_token_id",
  fim_rep: "tokenizer.ggml.fim_rep_token_id",
  fim_sep: "tokenizer.ggml.fim_sep_token_id",
} as const;

/** A role of a token. */
export type TokenRole = keyof typeof roleKeys;

/** Tokens with a role. */
export interface SpecialIds {
  readonly byRole: ReadonlyMap<TokenRole, number>;
  /** Ids that end a text: that of `eos` first. */
  readonly ends: readonly number[];
  readonly named: NamedTokens;
  readonly notices: readonly string[];
}

/** What llama.cpp takes where a file of SentencePiece tokens does not say. */
const sentencePieceIds: readonly (readonly [TokenRole, number])[] = [
  ["bos", 1],
  ["eos", 2],
  ["unk", 0],
];

/**
 * Finds the tokens with a role: by the ids of the metadata, else by their texts, as llama.cpp does. An
 * id that no token has counts for nothing, with a notice.
 * @throws FormatError for an id that is no count
 */
export function readSpecialIds(
  metadata: TokenizerMetadata,
  vocabulary: GgufVocabulary,
): SpecialIds {
  const { tokens } = vocabulary;
  const isSentencePiece = metadata.string("tokenizer.ggml.model") === "llama";
  const byRole = new Map(isSentencePiece ? sentencePieceIds : []);
  const notices: string[] = [];
  for (const [role, key] of Object.entries(roleKeys) as [TokenRole, string][]) {
    const id = metadata.count(key);
    if (id === null) continue;
    if (id < tokens.length) byRole.set(role, id);
    else
      notices.push(`${key} is ${id}, the file has ${tokens.length} tokens: it counts for nothing`);
  }
  for (const [role, id] of byRole) if (id >= tokens.length) byRole.delete(role);
  const given = new Map(
    fillRoles.flatMap((role): [FillRole, number][] => {
      const id = byRole.get(role);
      return id === undefined ? [] : [[role, id]];
    }),
  );
  const named = findNamedTokens(tokens, given);
  const first = ["eos", "eot", "eom"] as const;
  const ends = new Set(first.flatMap((role) => byRole.get(role) ?? []));
  for (const id of [...named.ends].sort((a, b) => a - b)) ends.add(id);
  return { byRole, ends: [...ends], named, notices };
}
