import type { EngineFinish, EngineToken, EngineTokens } from "./engine-request.ts";

type Step = IteratorResult<EngineToken, EngineFinish>;

/**
 * Tokens between the engine, which never waits, and one reader, who may: what was not read yet is
 * kept. It is bounded by the tokens that the request may have.
 */
export class TokenStream implements EngineTokens {
  readonly begun: Promise<void>;
  private readonly waiting: EngineToken[] = [];
  private readonly readers: ((step: Promise<Step>) => void)[] = [];
  private end: Promise<Step> | null = null;
  private readonly onAbandoned: () => void;
  private settle: {
    readonly resolve: () => void;
    readonly reject: (error: Error) => void;
  } | null = null;

  /** `onAbandoned` is called when the reader stops before the end. */
  constructor(onAbandoned: () => void) {
    this.onAbandoned = onAbandoned;
    this.begun = new Promise((resolve, reject) => {
      this.settle = { resolve, reject };
    });
    // Not everybody waits for it.
    this.begun.catch(() => {});
  }

  /** Says that it was taken up. */
  begin(): void {
    this.settle?.resolve();
  }

  /** Gives a token out. */
  push(token: EngineToken): void {
    const reader = this.readers.shift();
    if (reader) reader(Promise.resolve({ done: false, value: token }));
    else this.waiting.push(token);
  }

  /** Ends the stream behind the tokens that were given out. */
  finish(value: EngineFinish): void {
    this.close(Promise.resolve({ done: true, value }));
  }

  /** Ends it by an error, which the reader gets behind the tokens. */
  fail(error: Error): void {
    this.settle?.reject(error);
    const end = Promise.reject<Step>(error);
    // A reader that has gone away is not asked.
    end.catch(() => {});
    this.close(end);
  }

  next(): Promise<Step> {
    const token = this.waiting.shift();
    if (token) return Promise.resolve({ done: false, value: token });
    if (this.end) return this.end;
    return new Promise((resolve) => this.readers.push(resolve));
  }

  return(value: EngineFinish | PromiseLike<EngineFinish>): Promise<Step> {
    this.abandon();
    return Promise.resolve(value).then((finish) => ({ done: true, value: finish }));
  }

  throw(error: Error): Promise<Step> {
    this.abandon();
    return Promise.reject(error);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.abandon();
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  private abandon(): void {
    if (this.end) return;
    this.waiting.length = 0;
    this.onAbandoned();
  }

  private close(end: Promise<Step>): void {
    if (this.end) return;
    this.end = end;
    for (const reader of this.readers.splice(0)) reader(end);
  }
}
