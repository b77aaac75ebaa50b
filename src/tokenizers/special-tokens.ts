import * as z from "zod";
import { checkPart, partOf } from "./components.ts";
import { type AddedToken, addedTokenFields } from "./tokenizer-definition.ts";

/** What the files beside `tokenizer.json` say of tokens. */
export interface SpecialTokenFiles {
  /** `tokenizer_config.json`. */
  readonly settings?: unknown;
  /** `special_tokens_map.json`; counts where the settings have no `added_tokens_decoder`. */
  readonly specialTokensMap?: unknown;
  /** `added_tokens.json`, as `specialTokensMap`. */
  readonly addedTokens?: unknown;
}

/** The tokens with a role, and all that the files add to the vocabulary of `tokenizer.json`. */
export interface SpecialTokens {
  /** Text of each token with a role, by the name of the role: `bos_token`, `image_token`, ... */
  readonly named: ReadonlyMap<string, string>;
  /** Tokens to add to the vocabulary, in this order. */
  readonly added: readonly AddedToken[];
}

/** Roles that every tokenizer may give, in the order in which their tokens are added. */
const roles = [
  "bos_token",
  "eos_token",
  "unk_token",
  "sep_token",
  "pad_token",
  "cls_token",
  "mask_token",
];

const tokenSchema = z.union([
  z.string().transform((content): AddedToken => ({ ...plainSpecial, content })),
  z
    .object({ ...addedTokenFields, normalized: z.boolean().default(true) })
    .transform((token): AddedToken => ({ ...token, special: true })),
]);
const plainSpecial = {
  single_word: false,
  lstrip: false,
  rstrip: false,
  normalized: false,
  special: true,
};
const extraSchema = z
  .union([z.array(tokenSchema), z.record(z.string(), tokenSchema)])
  .nullish()
  .transform((tokens) => tokens ?? []);
const decoderSchema = z
  .record(z.string().regex(/^\d+$/, "expected ids for names"), z.object(addedTokenFields))
  .nullish();

const rolesSchema = z.record(z.string(), z.unknown());

/**
 * Puts together what the files beside `tokenizer.json` say of tokens, as transformers 5 does:
 * `added_tokens_decoder`, then tokens with a role, then `extra_special_tokens` (once called
 * `additional_special_tokens`). Where the settings have no `added_tokens_decoder`,
 * `special_tokens_map.json` goes before them and `added_tokens.json` adds tokens.
 * @throws FormatError naming the file and the field
 */
export function readSpecialTokens(files: SpecialTokenFiles): SpecialTokens {
  const settingsFile = "tokenizer_config.json";
  const settings = checkPart(rolesSchema, files.settings ?? {}, settingsFile);
  const decoder = checkPart(
    decoderSchema,
    settings.added_tokens_decoder,
    partOf(settingsFile, "added_tokens_decoder"),
  );
  const isLegacy = settings.added_tokens_decoder === undefined;
  const map = isLegacy
    ? checkPart(rolesSchema, files.specialTokensMap ?? {}, "special_tokens_map.json")
    : {};
  const tokensOf = (key: string) => readTokens(settings, map, key, settingsFile);
  const named = new Map<string, AddedToken>();
  for (const role of [...roles, ...otherRoles(settings), ...otherRoles(map)]) {
    const token = tokenOf(settings, map, role, settingsFile);
    if (token) named.set(role, token);
  }
  const extra = [tokensOf("extra_special_tokens"), tokensOf("additional_special_tokens")];
  const [chosen] = extra.filter((tokens) => Object.keys(tokens).length > 0);
  if (chosen && !Array.isArray(chosen)) {
    for (const [role, token] of Object.entries(chosen)) named.set(role, token);
  }
  const byId = decoder ?? (isLegacy ? legacyTokens(files.addedTokens, named) : {});
  const listed = Object.keys(byId).sort((a, b) => Number(a) - Number(b));
  const texts = new Set([...named.values()].map(({ content }) => content));
  return {
    named: new Map([...named].map(([role, { content }]) => [role, content])),
    added: [
      ...listed
        .map((id) => byId[id])
        .map((t) => (texts.has(t.content) ? { ...t, special: true } : t)),
      ...[...named.values(), ...(Array.isArray(chosen) ? chosen : [])].map(asNeeded),
    ],
  };
}

/** A token that is added only where the vocabulary has no added token of its text yet. */
const asNeeded = (token: AddedToken): AddedToken => ({ ...token, onlyIfNew: true });

type Fields = Readonly<Record<string, unknown>>;

const otherRoles = (fields: Fields): string[] =>
  Object.keys(fields).filter(
    (key) =>
      key.endsWith("_token") &&
      !roles.includes(key) &&
      !/^add_|^use_/.test(key) &&
      typeof fields[key] === "string",
  );

function tokenOf(settings: Fields, map: Fields, role: string, file: string): AddedToken | null {
  const fromMap = map[role] !== undefined && map[role] !== null;
  const value = fromMap ? map[role] : settings[role];
  if (value === undefined || value === null || value === "") return null;
  return checkPart(tokenSchema, value, partOf(fromMap ? "special_tokens_map.json" : file, role));
}

function readTokens(settings: Fields, map: Fields, key: string, file: string) {
  const fromMap = map[key] !== undefined;
  const place = partOf(fromMap ? "special_tokens_map.json" : file, key);
  return checkPart(extraSchema, fromMap ? map[key] : settings[key], place);
}

function legacyTokens(
  value: unknown,
  named: ReadonlyMap<string, AddedToken>,
): Readonly<Record<string, AddedToken>> {
  if (value === undefined) return {};
  const ids = checkPart(z.record(z.string(), z.int().nonnegative()), value, "added_tokens.json");
  const special = new Set([...named.values()].map(({ content }) => content));
  return Object.fromEntries(
    Object.entries(ids).map(([content, id]) => {
      const isSpecial = special.has(content);
      return [id, { ...plainSpecial, content, normalized: !isSpecial, special: isSpecial }];
    }),
  );
}
