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

  render(text: string): string {
    return this.purify.sanitize(marked.parse(text) as string, allowed);
  }
}
