/**
 * What Python or Jinja would raise while a template is read or rendered. `kind` is the class's name
 * there, for those that something in a template's semantics depends on.
 */
export class TemplateFailure extends Error {
  readonly kind: FailureKind;

  constructor(kind: FailureKind, message: string) {
    super(message);
    this.kind = kind;
  }
}

/** `Refusal`: the template's own `raise_exception`. `Limit`: it ran, or grew, too far. */
export type FailureKind =
  | "TypeError"
  | "ValueError"
  | "LookupError"
  | "OverflowError"
  | "ZeroDivisionError"
  | "UndefinedError"
  | "SyntaxError"
  | "RuntimeError"
  | "Refusal"
  | "Limit";

/** Throws a failure of a kind. */
export function fail(kind: FailureKind, message: string): never {
  throw new TemplateFailure(kind, message);
}
