let casedCharacters: ReadonlyMap<string, string> | null = null;

/** Every character that has another case, with one that stands for all its cases. */
function cased(): ReadonlyMap<string, string> {
  if (casedCharacters) return casedCharacters;
  const found = new Map<string, string>();
  const pattern = /[\p{Changes_When_Casemapped}\p{Changes_When_Casefolded}]/u;
  for (let code = 0; code < 0x1e944; code++) {
    if (code === 0xd800) code = 0xe000;
    const character = String.fromCodePoint(code);
    if (pattern.test(character)) found.set(character, foldCase(character));
  }
  casedCharacters = found;
  return found;
}

/** Simple case folding, of one character to one (Unicode's CaseFolding.txt, C and S). */
function foldCase(character: string): string {
  if (character === "ı") return character;
  const upper = character.toUpperCase();
  const lower = ([...upper].length === 1 ? upper : character).toLowerCase();
  return [...lower].length === 1 ? lower : character;
}

/**
 * Returns what a class also matches when case is ignored, as the inside of a class. JavaScript's
 * own way of ignoring case in a part of a pattern is newer than Node 20.
 */
export function otherCases(members: string): string {
  const exact = new RegExp(`^[${members}]$`, "v");
  const folds = new Set<string>();
  const others: string[] = [];
  for (const [character, fold] of cased()) {
    if (exact.test(character)) folds.add(fold);
    else others.push(character);
  }
  return others
    .filter((character) => folds.has(cased().get(character) as string))
    .map((character) => `\\u{${(character.codePointAt(0) as number).toString(16)}}`)
    .join("");
}
