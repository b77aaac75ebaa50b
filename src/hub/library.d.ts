/**
 * The two calls of `@huggingface/hub` that are made. Declared here, its own types (those of all
 * tasks, providers and uploads) stay out of the program, and a checkout can be type-checked without
 * it.
 */
declare module "@huggingface/hub" {
  export function modelInfo(options: {
    readonly name: string;
    readonly revision: string;
    readonly hubUrl: string;
    readonly additionalFields: readonly "sha"[];
    readonly fetch: typeof fetch;
  }): Promise<{ readonly sha?: unknown }>;

  export function listFiles(options: {
    readonly repo: { readonly type: "model"; readonly name: string };
    readonly revision: string;
    readonly recursive: boolean;
    readonly hubUrl: string;
    readonly fetch: typeof fetch;
  }): AsyncGenerator<{
    readonly type: "file" | "directory" | "unknown";
    readonly path: string;
    readonly size: number;
    readonly oid?: string;
    readonly lfs?: { readonly oid: string };
    readonly xetHash?: string;
  }>;
}
