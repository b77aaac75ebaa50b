const escapes: Readonly<Record<string, string>> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  "'": "&#39;",
  '"': "&#34;",
};

/** Writes a text so that HTML shows it as it is. */
export function escapeText(text: string): string {
  return text.replace(/[&<>'"]/g, (mark) => escapes[mark]);
}
