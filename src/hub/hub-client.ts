import { type HttpAnswer, monotonicMs, sendRequest, sleep } from "../platform/node.ts";
import { FewbitError, FormatError, NetworkError } from "../util/errors.ts";
import { parseJson } from "../util/json.ts";
import { refusal } from "./hub-errors.ts";
import { expectHubFile, type HubFile } from "./hub-file.ts";
import type { HubSettings } from "./hub-settings.ts";
import { isCommit, type HubSource } from "./model-source.ts";

const answerHint = "check HF_ENDPOINT, and whether a proxy or a login page is in between";

/** Bytes of an answer that is no file: a page of a list has some hundred kilobytes. */
const largestAnswer = 16_000_000;
/** Files that a repository may have; more than a model's would be listed for ever. */
const mostFiles = 100_000;
/** Times `stallMs` in which such an answer must be whole. */
const answerPatience = 4;

/**
 * What is asked of the Hub: which commit a revision is and which files it has, through
 * `@huggingface/hub`; and the contents of files, in requests of our own that can begin anywhere.
 */
export class HubClient {
  readonly settings: HubSettings;
  readonly source: HubSource;
  private readonly signal: AbortSignal | undefined;

  constructor(settings: HubSettings, source: HubSource, signal?: AbortSignal) {
    this.settings = settings;
    this.source = source;
    this.signal = signal;
  }

  /**
   * Asks which commit the revision is. `patient`: try again where that may help.
   * @throws NetworkError when the Hub cannot be reached, or has no such model or revision
   */
  async commit({ patient }: { readonly patient: boolean }): Promise<string> {
    const { repo, revision } = this.source;
    const { modelInfo } = await import("@huggingface/hub");
    const asked = modelInfo({
      name: repo,
      revision,
      hubUrl: this.settings.endpoint,
      additionalFields: ["sha"],
      fetch: this.fetchWith(patient ? this.settings.retryDelaysMs : []),
    });
    const { sha } = await this.understood(asked);
    if (typeof sha === "string" && isCommit(sha)) return sha;
    throw new FormatError(`${this.answerName()} names no commit`, { hint: answerHint });
  }

  /** Lists all files of a commit. @throws NetworkError FormatError */
  async files(commit: string): Promise<HubFile[]> {
    return this.understood(this.listFiles(commit));
  }

  private async listFiles(commit: string): Promise<HubFile[]> {
    const { listFiles } = await import("@huggingface/hub");
    const files: HubFile[] = [];
    const pages = new Set<string>();
    const ask = this.fetchWith(this.settings.retryDelaysMs);
    const onePage: typeof fetch = (input, init) => {
      const url = input instanceof Request ? input.url : String(input);
      if (pages.has(url)) throw this.malformed("leads back to a page of its list");
      pages.add(url);
      return ask(input, init);
    };
    const listing = listFiles({
      repo: { type: "model", name: this.source.repo },
      revision: commit,
      recursive: true,
      hubUrl: this.settings.endpoint,
      fetch: onePage,
    });
    let listed = 0;
    for await (const { type, path, size, oid, lfs, xetHash } of listing) {
      if (++listed > mostFiles) throw this.malformed(`lists more than ${mostFiles} files`);
      if (type !== "file") continue;
      const sha256 = lfs?.oid ?? null;
      files.push(expectHubFile({ path, sizeBytes: size, gitId: oid, sha256, xetHash }));
    }
    return files;
  }

  /** Address of a file of a commit. */
  fileUrl(commit: string, { path }: HubFile): string {
    const encoded = path.split("/").map(encodeURIComponent).join("/");
    return `${this.settings.endpoint}/${this.source.repo}/resolve/${commit}/${encoded}`;
  }

  /** Asks for a file from a byte on. @throws NetworkError for any answer but its contents */
  async open(url: string, startByte: number): Promise<HttpAnswer> {
    return this.send(url, startByte > 0 ? { range: `bytes=${startByte}-` } : {});
  }

  private async send(url: string, headers: Record<string, string>): Promise<HttpAnswer> {
    const { endpoint, token, stallMs } = this.settings;
    // Pages of a list name the next one; a token goes to the Hub only.
    const trusted = token !== null && new URL(url).origin === new URL(endpoint).origin;
    const answer = await sendRequest(url, {
      headers: { ...headers, ...(trusted && { authorization: `Bearer ${token}` }) },
      signal: this.signal,
      stallMs,
    });
    if (answer.status === 200 || answer.status === 206) return answer;
    await answer.discard();
    throw refusal(answer, this.source, this.settings);
  }

  /** What the library calls in place of `fetch`: with our token, patience and errors. */
  private fetchWith(delaysMs: readonly number[]): typeof fetch {
    return async (input) => {
      const url = input instanceof Request ? input.url : String(input);
      for (let failed = 0; ; failed++) {
        try {
          return await this.readWhole(url);
        } catch (error) {
          const delay = delaysMs[failed];
          if (!(error instanceof NetworkError) || !error.transient || delay === undefined) {
            throw error;
          }
          await sleep(error.retryAfterMs ?? delay, this.signal);
        }
      }
    };
  }

  private async readWhole(url: string): Promise<Response> {
    const { stallMs } = this.settings;
    const endMs = monotonicMs() + answerPatience * stallMs;
    const answer = await this.send(url, { accept: "application/json" });
    const decoder = new TextDecoder();
    let text = "";
    let bytes = 0;
    // What the caller leaves unread is not sent: leaving the loop closes the connection.
    for await (const piece of answer.body()) {
      bytes += piece.length;
      if (bytes > largestAnswer) throw this.malformed(`has more than ${largestAnswer / 1e6} MB`);
      if (monotonicMs() > endMs) {
        const message = `${new URL(url).host} did not come to an end of its answer`;
        throw new NetworkError(message, { transient: true });
      }
      text += decoder.decode(piece, { stream: true });
    }
    parseJson(text, this.answerName(), answerHint);
    const link = answer.header("link");
    return new Response(text, { headers: link === null ? {} : { link } });
  }

  /** What the library makes of an answer; it looks for no other form. @throws FormatError */
  private async understood<T>(reading: Promise<T>): Promise<T> {
    try {
      return await reading;
    } catch (cause) {
      if (cause instanceof FewbitError) throw cause;
      const detail = cause instanceof Error ? cause.message : String(cause);
      const message = `${this.answerName()} is not what a Hub answers: ${detail}`;
      throw new FormatError(message, { hint: answerHint, cause });
    }
  }

  private malformed(what: string): FormatError {
    return new FormatError(`${this.answerName()} ${what}`, { hint: answerHint });
  }

  private answerName(): string {
    return `the answer of ${new URL(this.settings.endpoint).host}`;
  }
}
