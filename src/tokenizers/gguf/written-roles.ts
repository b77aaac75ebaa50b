import type { GgufValue } from "../../formats/gguf/gguf-metadata.ts";
import type { TokenizerFiles } from "../hub-tokenizer.ts";
import type { Tokenizer } from "../tokenizer.ts";
import { roleKeys, type TokenRole } from "./special-ids.ts";
import { endsText } from "./special-names.ts";

/** What a file says of special tokens. */
export interface WrittenRoles {
  readonly entries: ReadonlyMap<string, GgufValue>;
  readonly notices: readonly string[];
}

/**
 * Describes the special tokens of a tokenizer: their ids, and which stand around a text. What the
 * post-processor does counts, but for `add_bos_token` and `add_eos_token` of `tokenizer_config.json`, by
 * which llama.cpp's converter goes. Further ends of a text become `eot` and `eom`, where llama.cpp does
 * not know them by their names. `rows`: those of the embedding; ids beyond are left out.
 */
export function describeRoles(
  tokenizer: Tokenizer,
  files: TokenizerFiles,
  rows: number,
): WrittenRoles {
  const notices: string[] = [];
  const ids = new Map<TokenRole, number>();
  const set = (role: TokenRole, id: number | null | undefined): void => {
    if (id !== null && id !== undefined && id < rows) ids.set(role, id);
  };
  set("bos", tokenizer.bosId);
  set("eos", tokenizer.eosIds[0]);
  for (const role of ["unk", "sep", "pad", "mask"] as const) {
    const token = tokenizer.specialTokens.get(`${role}_token`);
    set(role, token === undefined ? modelId(files, role) : tokenizer.tokenToId(token));
  }
  const entries = new Map<string, GgufValue>();
  const around = tokensAround(tokenizer, ids, notices);
  for (const role of ["bos", "eos"] as const) {
    const said = (files.settings as Fields | undefined)?.[`add_${role}_token`];
    const value = typeof said === "boolean" ? said : around[role];
    if (value !== around[role]) {
      notices.push(
        `\`add_${role}_token\` of tokenizer_config.json is ${value}, as llama.cpp will have it; ` +
          `tokenizer.json, which fewbit goes by, ${around[role] ? "puts" : "does not put"} the token`,
      );
    }
    entries.set(`tokenizer.ggml.add_${role}_token`, { type: "bool", value });
  }
  addEnds(tokenizer, ids, rows, notices);
  if (!ids.has("eos")) {
    notices.push(
      "the tokenizer names no token that ends a text; llama.cpp takes a fixed one for it",
    );
  }
  for (const [role, value] of ids) entries.set(roleKeys[role], { type: "u32", value });
  return { entries, notices };
}

type Fields = Readonly<Record<string, unknown>>;

/** An id that only the model's settings give. */
function modelId(files: TokenizerFiles, role: TokenRole): number | null {
  for (const settings of files.modelTokenIds ?? []) {
    const id = (settings as Fields)[`${role}_token_id`];
    if (Number.isSafeInteger(id) && (id as number) >= 0) return id as number;
  }
  return null;
}

/** Says which tokens stand around a text; changes `ids` where those are not BOS and EOS so far. */
function tokensAround(
  tokenizer: Tokenizer,
  ids: Map<TokenRole, number>,
  notices: string[],
): { readonly bos: boolean; readonly eos: boolean } {
  const before = tokenizer.startIds;
  const after = tokenizer.encode("", { addSpecial: true }).subarray(before.length);
  for (const [where, some] of [
    ["in front of", before],
    ["behind", after],
  ] as const) {
    if (some.length > 1) {
      notices.push(`${some.length} tokens stand ${where} a text; llama.cpp puts one there`);
    }
  }
  const first = before.at(0);
  if (first !== undefined && !ids.has("bos")) ids.set("bos", first);
  const puts = first !== undefined && ids.get("bos") === first;
  if (first !== undefined && !puts) {
    notices.push(`the token ${first} in front of a text is not the BOS token: llama.cpp puts none`);
  }
  const last = after.at(-1);
  const eos = ids.get("eos");
  if (last !== undefined && last !== eos) {
    // The old one still ends what the model writes.
    if (eos !== undefined) ids.set("eot", eos);
    ids.set("eos", last);
  }
  return { bos: puts, eos: last !== undefined };
}

function addEnds(
  tokenizer: Tokenizer,
  ids: Map<TokenRole, number>,
  rows: number,
  notices: string[],
): void {
  const known = new Set(ids.values());
  const unnamed = tokenizer.eosIds.filter(
    (id) => id < rows && !known.has(id) && !endsText(tokenizer.idToToken(id) ?? ""),
  );
  for (const role of ["eot", "eom"] as const) {
    const id = ids.has(role) ? undefined : unnamed.shift();
    if (id !== undefined) ids.set(role, id);
  }
  if (unnamed.length === 0) return;
  const names = unnamed.map((id) => `"${tokenizer.idToToken(id)}"`);
  notices.push(
    `llama.cpp does not end a text at ${names.join(", ")}: a file has three such tokens`,
  );
}
