/** Writes a command line that a POSIX shell reads back as exactly these words. */
export function formatCommand(words: readonly string[]): string {
  return words.map(quoteWord).join(" ");
}

function quoteWord(word: string): string {
  if (/^[\w@%+=:,./-]+$/.test(word)) return word;
  // Double quotes read better, and do where nothing in them is special.
  if (!/["$`\\!\p{Cc}]/u.test(word)) return `"${word}"`;
  return `'${word.replaceAll("'", `'\\''`)}'`;
}
