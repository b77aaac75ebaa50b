/** What a text has to be. */
export interface Grammar {
  /** A JSON schema, or a structural tag of xgrammar, as JSON. */
  readonly text: string;
  readonly kind: "schema" | "tags";
  /** Whether objects have the properties that are named and no others. */
  readonly strict: boolean;
  /** The field of the request that it comes from. */
  readonly param: string;
}
