import { toValue } from "./dict.ts";
import { findHiddenNames, type HiddenNames } from "./frames.ts";
import { globalsAt } from "./globals.ts";
import { Interpreter } from "./interpreter.ts";
import { Meter, type TemplateLimits } from "./limits.ts";
import { parseTemplate } from "./parser.ts";
import { Scope } from "./scope.ts";
import type { Body } from "./syntax.ts";

/** Deepest nesting of what is written down in a template. */
const deepestSyntax = 120;

/**
 * A Jinja template that was read, as transformers reads chat templates: `trim_blocks`,
 * `lstrip_blocks`, the loop controls, the `generation` tag. It is walked over, never run as code.
 */
export class Template {
  private readonly body: Body;
  private readonly hidden: HiddenNames;

  /** @throws TemplateFailure (SyntaxError) when it is no template */
  constructor(source: string, limits: TemplateLimits) {
    const meter = new Meter({ ...limits, depth: deepestSyntax });
    meter.input(source.length);
    this.body = parseTemplate(source, meter);
    this.hidden = findHiddenNames(this.body);
  }

  /**
   * Renders the template with variables: plain data.
   * @throws TemplateFailure where Python or Jinja would raise, and at the limits
   */
  render(
    variables: Readonly<Record<string, unknown>>,
    limits: TemplateLimits,
    now: Date = new Date(),
  ): string {
    const meter = new Meter(limits);
    const root = new Scope(null);
    for (const [name, value] of globalsAt(now)) root.set(name, value);
    for (const [name, value] of Object.entries(variables)) {
      if (value !== undefined) root.set(name, toValue(value, meter));
    }
    return new Interpreter(root, this.hidden, meter).render(this.body);
  }
}
