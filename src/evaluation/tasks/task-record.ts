import { FormatError } from "../../util/errors.ts";
import type { JsonRecord } from "../../util/json-records.ts";

/** Characters of a wrong value that an error shows. */
const longestShown = 60;

/** One line of a task's file: named fields, read with errors that name file, line and field. */
export class TaskRecord {
  /** For errors: `piqa.jsonl, line 3`. */
  readonly where: string;
  private readonly fields: Readonly<Record<string, unknown>>;
  private readonly example: string;

  /** `example` is a line as it should be, for the hints of errors. */
  constructor({ value, where }: JsonRecord, example: string) {
    this.where = where;
    this.example = example;
    this.fields = typeof value === "object" && value !== null ? { ...value } : {};
  }

  /** Tells whether a field is there. */
  has(field: string): boolean {
    return Object.hasOwn(this.fields, field);
  }

  /** Reads a text, perhaps an empty one. @throws FormatError */
  text(field: string): string {
    const value = this.fields[field];
    if (typeof value !== "string") throw this.unlike(`"${field}", a text`, value);
    return value;
  }

  /** Reads a text that is more than spaces. @throws FormatError */
  filledText(field: string): string {
    const value = this.text(field);
    if (value.trim() === "") throw this.unlike(`"${field}", a text that is not empty`, value);
    return value;
  }

  /** Reads at least two texts, each more than spaces. @throws FormatError */
  choices(field: string): string[] {
    return this.checkedChoices(field, this.fields[field]);
  }

  /** Reads a whole number from `least` to `most`, or the text of one. @throws FormatError */
  integer(field: string, least: number, most: number): number {
    const value = this.fields[field];
    const number = typeof value === "string" && /^\d+$/.test(value) ? Number(value) : value;
    if (typeof number === "number" && Number.isInteger(number)) {
      if (number >= least && number <= most) return number;
    }
    throw this.unlike(`"${field}", a whole number from ${least} to ${most}`, value);
  }

  /** Reads a truth value, or 0 or 1. @throws FormatError */
  truth(field: string): boolean {
    const value = this.fields[field];
    return typeof value === "boolean" ? value : this.integer(field, 0, 1) === 1;
  }

  /**
   * Reads choices with labels, `{"text": [...], "label": [...]}`, and the label of the right one in
   * another field.
   * @throws FormatError
   */
  labelledChoices(field: string, goldField: string): { choices: string[]; gold: number } {
    const value = this.fields[field];
    const parts: Readonly<Record<string, unknown>> =
      typeof value === "object" && value !== null ? { ...value } : {};
    const choices = this.checkedChoices(`${field}.text`, parts["text"]);
    const labels = parts["label"];
    if (!isTexts(labels) || labels.length !== choices.length) {
      throw this.unlike(`"${field}.label", ${choices.length} texts`, labels);
    }
    const gold = labels.indexOf(this.text(goldField).trim());
    if (gold < 0) {
      throw this.unlike(`"${goldField}", one of ${labels.join(", ")}`, this.fields[goldField]);
    }
    return { choices, gold };
  }

  /** Builds the error for a field that is not as it should be. */
  unlike(expected: string, found: unknown): FormatError {
    const whole = found === undefined ? "nothing" : JSON.stringify(found);
    const shown = whole.length > longestShown ? `${whole.slice(0, longestShown)}…` : whole;
    return new FormatError(`${this.where}: expected ${expected}; got ${shown}`, {
      hint: `an item looks like ${this.example}`,
    });
  }

  private checkedChoices(field: string, value: unknown): string[] {
    if (!isTexts(value) || value.length < 2) {
      throw this.unlike(`"${field}", at least two texts`, value);
    }
    const empty = value.find((choice) => choice.trim() === "");
    if (empty !== undefined) throw this.unlike(`"${field}" with text in each`, empty);
    return value;
  }
}

function isTexts(value: unknown): value is string[] {
  return Array.isArray(value) && value.every((entry) => typeof entry === "string");
}
