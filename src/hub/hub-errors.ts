import type { HttpAnswer } from "../platform/node.ts";
import { FewbitError, NetworkError, UsageError } from "../util/errors.ts";
import type { HubSettings } from "./hub-settings.ts";
import type { HubSource } from "./model-source.ts";

const longestWaitMs = 120_000;

/** Says what an answer other than success means, and what to do about it. */
export function refusal(
  answer: Pick<HttpAnswer, "status" | "header">,
  source: HubSource,
  settings: HubSettings,
): NetworkError {
  const { status } = answer;
  const { repo, revision } = source;
  const { host } = new URL(settings.endpoint);
  const reason = answer.header("x-error-code");
  if (status === 429 || status === 408 || status >= 500) {
    const what = status === 429 ? "asks for fewer requests" : "has a problem of its own";
    return new NetworkError(`${host} ${what} (status ${status})`, {
      status,
      transient: true,
      retryAfterMs: retryAfter(answer.header("retry-after")),
      hint: "run the same command again later; what was downloaded is kept",
    });
  }
  if (status === 404 && reason === "RevisionNotFound") {
    return new NetworkError(`${repo} has no branch, tag or commit ${revision}`, {
      status,
      hint: `its branches and tags: ${settings.endpoint}/${repo}/tree/main`,
    });
  }
  if (reason === "RepoNotFound" || (status === 404 && reason === null)) {
    return new NetworkError(`${host} has no model ${repo}, or keeps it private`, {
      status,
      hint: withToken(settings, "check the name; for a private model"),
    });
  }
  if (status === 401 || status === 403) return denial(status, reason, source, settings);
  return new NetworkError(`${host} refused a request for ${repo} (status ${status})`, {
    status,
    hint: "look at the model's page in a browser",
  });
}

function denial(
  status: number,
  reason: string | null,
  { repo }: HubSource,
  settings: HubSettings,
): NetworkError {
  const page = `${settings.endpoint}/${repo}`;
  if (reason !== "GatedRepo") {
    return new NetworkError(`access to ${repo} is denied (status ${status})`, {
      status,
      hint: withToken(settings, `check that you may see ${page}; then`),
    });
  }
  return new NetworkError(`${repo} is only for those who accepted its licence`, {
    status,
    hint: withToken(settings, `accept it on ${page}, then`),
  });
}

function withToken({ token }: HubSettings, first: string): string {
  return token === null
    ? `${first} set HF_TOKEN, or log in: hf auth login`
    : `${first} check that the token in HF_TOKEN (or of hf auth login) may read it`;
}

/** Seconds, or a date. */
function retryAfter(header: string | null): number | null {
  if (header === null) return null;
  const waitMs = /^\d+$/.test(header) ? Number(header) * 1000 : Date.parse(header) - Date.now();
  return Number.isFinite(waitMs) ? Math.min(longestWaitMs, Math.max(0, waitMs)) : null;
}

/** What to say when work without the network needs something that the cache lacks. */
export function notCached({ repo, revision }: HubSource, what: string): UsageError {
  const at = revision === "main" ? repo : `${repo}@${revision}`;
  return new UsageError(`the cache has no ${what} of ${at}, and HF_HUB_OFFLINE is set`, {
    hint: "unset HF_HUB_OFFLINE to download it",
  });
}

/** What to say when the disk of the cache is too small. */
export function diskFull(folder: string, needBytes: number, freeBytes: number): FewbitError {
  const gigabytes = (bytes: number): string => `${(bytes / 1e9).toFixed(2)} GB`;
  return new FewbitError(
    "FILE",
    `the download needs ${gigabytes(needBytes)}, ${gigabytes(freeBytes)} is free at ${folder}`,
    { hint: "free some space, or name a folder on another disk in HF_HOME" },
  );
}
