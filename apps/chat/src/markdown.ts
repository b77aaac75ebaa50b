import createDOMPurify, { type DOMPurify, type WindowLike } from "dompurify";
import { Marked } from "marked";

const marked = new Marked({ gfm: true, breaks: true, async: false });

/** What an answer may show: text, lists, tables, code and links, nothing that loads or runs. */
const allowed = {
  ALLOWED_TAGS: [
    ..."p br hr h1 h2 h3 h4 h5 h6 strong em del code pre blockquote".split(" "),
    ..."ul ol li table thead tbody tr th td a input".split(" "),
  ],
  ALLOWED_ATTR: ["href", "class", "align", "start", "type", "checked", "disabled"],
  ALLOWED_URI_REGEXP: /^(?:https?|mailto):/i,
};

/** A paragraph, list, table or block of code: as it was written, and as HTML that can do no harm. */
export interface Block {
  readonly raw: string;
  readonly html: string;
}

/** Renders Markdown to HTML that can do no harm. */
export class MarkdownRenderer {
  private readonly purify: DOMPurify;

  constructor(window: WindowLike) {
    this.purify = createDOMPurify(window);
    this.purify.addHook("afterSanitizeAttributes", (node) => {
      if (node.tagName === "A") {
        node.setAttribute("target", "_blank");
        node.setAttribute("rel", "noopener noreferrer");
      }
      if (node.tagName === "INPUT" && node.getAttribute("type") !== "checkbox") node.remove();
    });
  }

  /** Renders a text block by block; those that are as they were in `before` are taken from there. */
  render(text: string, before: readonly Block[]): readonly Block[] {
    const tokens = marked.lexer(text);
    // A link's address may stand further below, in a block of its own.
    const standAlone = Object.keys(tokens.links).length === 0;
    return tokens
      .filter(({ type }) => type !== "space" && type !== "def")
      .map((token, i) => {
        const { raw } = token;
        if (standAlone && before[i]?.raw === raw) return before[i];
        return { raw, html: this.purify.sanitize(marked.parser([token]), allowed) };
      });
  }
}
