import { UsageError } from "../../util/errors.ts";
import { ChatTemplates } from "../../tokenizers/chat-template-source.ts";
import { cannotMeasure, type CompletionServer } from "./completion-server.ts";

const longestText = 4_000_000;
const atOnce = 8;

/**
 * The tokenizer of a server. Texts are asked for first (`learn`), and encoded then: what follows is
 * the same as with a tokenizer that is here.
 */
export class ServerTokenizer {
  readonly startIds: readonly number[];
  readonly bosId: number | null;
  readonly eosIds: readonly number[] = [];
  readonly chatTemplates = new ChatTemplates();
  readonly specialTokens: ReadonlyMap<string, string> = new Map();
  readonly bosToken: string | null = null;
  /** Tokens that the server's model takes at once; null where it does not say. */
  readonly contextLength: number | null;
  private readonly server: CompletionServer;
  private readonly known = new Map<string, Int32Array>();

  private constructor(server: CompletionServer, empty: Encoded) {
    this.server = server;
    this.startIds = empty.tokens;
    this.bosId = empty.tokens[0] ?? null;
    this.contextLength = empty.contextLength;
  }

  /** @throws UnsupportedError when the server does not say which tokens a text has */
  static async open(server: CompletionServer): Promise<ServerTokenizer> {
    return new ServerTokenizer(server, await encodeThere(server, "", true));
  }

  /** Asks which tokens texts have. @throws UsageError for one that is too long */
  async learn(texts: Iterable<string>): Promise<void> {
    const open = [...new Set(texts)].filter((text) => !this.known.has(text));
    const tooLong = open.find((text) => text.length > longestText);
    if (tooLong !== undefined) {
      throw new UsageError(
        `a server is asked for the tokens of ${longestText} characters at most, and the text has ` +
          `${tooLong.length}`,
        { hint: "give a shorter one", field: "text" },
      );
    }
    for (let first = 0; first < open.length; first += atOnce) {
      const some = open.slice(first, first + atOnce);
      const encoded = await Promise.all(some.map((text) => this.askFor(text)));
      for (const [i, ids] of encoded.entries()) this.known.set(some[i], ids);
    }
  }

  encode(text: string): Int32Array {
    const ids = this.known.get(text);
    if (!ids) throw new UsageError("a text was not asked for before it is encoded");
    return ids;
  }

  *encodeLazily(text: string): Generator<readonly number[]> {
    yield [...this.encode(text)];
  }

  private async askFor(text: string): Promise<Int32Array> {
    if (text === "") return new Int32Array();
    const { tokens } = await encodeThere(this.server, text, false);
    // Some servers put the start token in front, asked for or not.
    const { startIds } = this;
    const begins = startIds.length > 0 && startIds.every((id, i) => tokens[i] === id);
    return Int32Array.from(begins ? tokens.slice(startIds.length) : tokens);
  }
}

interface Encoded {
  readonly tokens: readonly number[];
  readonly contextLength: number | null;
}

async function encodeThere(
  server: CompletionServer,
  text: string,
  addSpecial: boolean,
): Promise<Encoded> {
  const asked = { add_special: addSpecial, add_special_tokens: addSpecial };
  const answer =
    (await server.postIfThere("/tokenize", { content: text, prompt: text, ...asked })) ??
    // llama-cpp-python
    (await server.postIfThere("/extras/tokenize", { input: text }));
  const tokens = answer?.["tokens"];
  const most = answer?.["max_model_len"];
  if (!Array.isArray(tokens) || tokens.some((id) => !Number.isInteger(id))) {
    throw cannotMeasure(server, "it does not say which tokens a text has (/tokenize)");
  }
  return { tokens: tokens as number[], contextLength: typeof most === "number" ? most : null };
}
