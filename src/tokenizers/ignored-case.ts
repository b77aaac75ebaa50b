let casedCharacters: readonly string[] | null = null;

/** Every character that has another case. */
function cased(): readonly string[] {
  if (casedCharacters) return casedCharacters;
  const found: string[] = [];
  const pattern = /[\p{Changes_When_Casemapped}\p{Changes_When_Casefolded}]/u;
  for (let code = 0; code < 0x1e944; code++) {
    if (code === 0xd800) code = 0xe000;
    const character = String.fromCodePoint(code);
    if (pattern.test(character)) found.push(character);
  }
  casedCharacters = found;
  return found;
}

/**
 * Returns what a class also matches when case is ignored, as the inside of a class. JavaScript's
 * own way of ignoring case in a part of a pattern is newer than Node 20.
 */
export function otherCases(members: string): string {
  const exact = new RegExp(`^[${members}]$`, "v");
  const folded = new RegExp(`^[${members}]$`, "iv");
  const more = cased().filter((one) => folded.test(one) && !exact.test(one));
  return more.map((one) => `\\u{${(one.codePointAt(0) as number).toString(16)}}`).join("");
}
