/**
 * Quotes a text that came from elsewhere: control characters are escaped, so that a hostile file
 * cannot write to the terminal, and what is longer than `longest` characters is cut.
 */
export function quoteText(text: string, longest: number): string {
  const shown = text.length > longest ? `${text.slice(0, longest - 3)}...` : text;
  // JSON leaves DEL and the C1 controls as they are; some terminals obey them.
  return JSON.stringify(shown).replace(
    /[\u007f-\u009f\u200e\u200f\u2028-\u202e\u2066-\u2069]/g,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}
