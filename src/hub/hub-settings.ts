import {
  absolutePath,
  environmentVariable,
  homeDirectory,
  joinPath,
  readText,
  status,
} from "../platform/node.ts";
import { UsageError } from "../util/errors.ts";

/** Where the Hub and the local cache are, and how patiently they are asked. */
export interface HubSettings {
  /** Address of the Hub, without a slash at the end. */
  readonly endpoint: string;
  /** Folder with a folder for each repository, shared with Python's huggingface_hub. */
  readonly cacheFolder: string;
  /** Access token; null without one. */
  readonly token: string | null;
  /** No request is made. */
  readonly offline: boolean;
  /** A server that sends less than a kilobyte in so long counts as lost. */
  readonly stallMs: number;
  /** Pauses before a failed request is sent again; after the last it has failed. */
  readonly retryDelaysMs: readonly number[];
}

const usualEndpoint = "https://huggingface.co";
const usualStallMs = 30_000;
const usualDelaysMs = [1000, 2000, 4000, 8000, 16_000];

/**
 * Reads the environment variables that Python's huggingface_hub reads: `HF_ENDPOINT`,
 * `HF_HUB_CACHE`, `HF_HOME`, `HF_TOKEN`, `HF_TOKEN_PATH` (else the token that `hf auth login`
 * left), `HF_HUB_OFFLINE`.
 * @throws UsageError when one of them cannot be used
 */
export async function readHubSettings(): Promise<HubSettings> {
  const home = homeFolder();
  const cache = environmentVariable("HF_HUB_CACHE") ?? environmentVariable("HUGGINGFACE_HUB_CACHE");
  const offline =
    environmentVariable("HF_HUB_OFFLINE") ?? environmentVariable("TRANSFORMERS_OFFLINE") ?? "";
  return {
    endpoint: endpointOf(environmentVariable("HF_ENDPOINT") ?? usualEndpoint),
    cacheFolder: cache ? expandPath(cache) : joinPath(home, "hub"),
    token: await readToken(home),
    offline: /^(1|on|yes|true)$/i.test(offline),
    stallMs: usualStallMs,
    retryDelaysMs: usualDelaysMs,
  };
}

function homeFolder(): string {
  const home = environmentVariable("HF_HOME");
  if (home) return expandPath(home);
  const caches = environmentVariable("XDG_CACHE_HOME");
  return joinPath(caches ? expandPath(caches) : joinPath(homeDirectory(), ".cache"), "huggingface");
}

function expandPath(path: string): string {
  return absolutePath(/^~(?=$|[/\\])/.test(path) ? homeDirectory() + path.slice(1) : path);
}

function endpointOf(text: string): string {
  const address = text.replace(/\/+$/, "");
  if (/^https?:\/\/[^/]/.test(address)) return address;
  throw new UsageError(`HF_ENDPOINT is ${JSON.stringify(text)}, expected an http address`, {
    hint: "leave it unset for https://huggingface.co",
  });
}

async function readToken(home: string): Promise<string | null> {
  const given = environmentVariable("HF_TOKEN") ?? environmentVariable("HUGGING_FACE_HUB_TOKEN");
  const path = environmentVariable("HF_TOKEN_PATH") ?? joinPath(home, "token");
  const found = given === undefined && (await status(expandPath(path)))?.kind === "file";
  const token = (found ? await readText(expandPath(path)) : (given ?? "")).trim();
  // A line break in a header would begin another header.
  if (/^[\x21-\x7e]*$/.test(token)) return token === "" ? null : token;
  throw new UsageError(
    "the access token of the Hugging Face Hub has characters that it cannot have",
    {
      hint: "check HF_TOKEN, or log in again: hf auth login",
    },
  );
}
