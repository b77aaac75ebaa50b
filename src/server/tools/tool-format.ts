import type { RequestTool } from "../schemas/chat.ts";

/** How a model writes that it calls a function. */
export interface ToolFormat {
  /** What a call begins with, and nothing else does. */
  readonly trigger: string;
  /** What stands in front of the arguments. */
  readonly begin: (name: string) => string;
  /** What stands behind them. */
  readonly end: string;
  /** What stands between two calls. */
  readonly separator: string;
  /** Whether a template is written for it. */
  readonly fits: (template: string) => boolean;
}

/** Of Hermes, Qwen and many others. */
const tagged: ToolFormat = {
  trigger: "<tool_call>",
  begin: (name) => `<tool_call>\n{"name": ${JSON.stringify(name)}, "arguments": `,
  end: "}\n</tool_call>",
  separator: "\n",
  fits: (template) => template.includes("<tool_call>"),
};

/** Of Llama 3.1 and later. */
const bare: ToolFormat = {
  trigger: '{"name": "',
  begin: (name) => `{"name": ${JSON.stringify(name)}, "parameters": `,
  end: "}",
  separator: "; ",
  fits: (template) => template.includes("tools") && /\\?"parameters\\?": /.test(template),
};

const formats = [tagged, bare];

/** How calls are written, and whether the template describes the tools by itself. */
export interface ChosenFormat {
  readonly format: ToolFormat;
  readonly isDescribed: boolean;
}

/** Chooses the format that a template is written for; what no template says is said in a message. */
export function chooseToolFormat(template: string): ChosenFormat {
  const format = formats.find((each) => each.fits(template));
  return { format: format ?? tagged, isDescribed: format !== undefined };
}

/** Tells a model of tools in words, where its template does not. */
export function describeTools(tools: readonly RequestTool[], format: ToolFormat): string {
  const lines = tools.map(({ function: { name, description, parameters } }) =>
    JSON.stringify({ name, description, parameters }),
  );
  return [
    "You may call these functions, each described by a JSON object:",
    ...lines,
    "To call one, answer with",
    `${format.begin("NAME")}ARGUMENTS${format.end}`,
    "where ARGUMENTS is a JSON object.",
  ].join("\n");
}
