/** Attributes of an element; numbers with at most two decimals, undefined ones left out. */
export type Attributes = Readonly<Record<string, string | number | undefined>>;

/** Makes a text safe inside an element or an attribute of XML and HTML. */
export function escapeMarkup(text: string): string {
  return text
    .replaceAll("&", "&amp;")
    .replaceAll("<", "&lt;")
    .replaceAll(">", "&gt;")
    .replaceAll('"', "&quot;");
}

/** Writes an element of SVG or HTML; `children` are markup, texts go through `escapeMarkup`. */
export function element(
  name: string,
  attributes: Attributes,
  children: readonly string[] = [],
): string {
  const written = Object.entries(attributes)
    .filter(([, value]) => value !== undefined)
    .map(([key, value]) => ` ${key}="${attributeText(value as string | number)}"`)
    .join("");
  return `<${name}${written}>${children.join("")}</${name}>`;
}

function attributeText(value: string | number): string {
  return typeof value === "number" ? String(Math.round(value * 100) / 100) : escapeMarkup(value);
}
