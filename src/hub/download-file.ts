import { type HttpAnswer, sleep } from "../platform/node.ts";
import { NetworkError } from "../util/errors.ts";
import type { HubClient } from "./hub-client.ts";
import type { HubFile } from "./hub-file.ts";
import { PartialFile } from "./partial-file.ts";

/** Who hears of a download. */
export interface DownloadFileOptions {
  readonly signal: AbortSignal | undefined;
  /** Called with the bytes of the file that are there, after each piece. */
  readonly onBytes: (bytes: number) => void;
  readonly onNotice: (notice: string) => void;
}

/**
 * Downloads a file's contents to `blobPath`, which appears when it is whole and has the hash that
 * the repository names. What an earlier process left is continued; a lost connection is opened
 * again where it broke; a file with a wrong hash is downloaded once more.
 * @throws NetworkError when the server refuses, stays lost, or sends a wrong file twice
 * @throws FewbitError (code `FILE`) when the disk is full or cannot be written to
 * @throws CancelledError when the signal is aborted; what came so far is kept
 */
export async function downloadFile(
  client: HubClient,
  url: string,
  file: HubFile,
  blobPath: string,
  options: DownloadFileOptions,
): Promise<void> {
  for (let attempt = 1; ; attempt++) {
    const partial = await PartialFile.open(blobPath, file);
    try {
      options.onBytes(partial.sizeBytes);
      await fill(client, url, file, partial, options);
      if (partial.isSound()) return await partial.publish();
      await partial.discard();
    } finally {
      await partial.close();
    }
    const what = `${file.path} came with another checksum than the repository names`;
    if (attempt === 2) {
      throw new NetworkError(`${what}, twice`, {
        hint: "check the disk and the network; a proxy may alter what it passes on",
      });
    }
    options.onNotice(`${what}; it is downloaded again`);
  }
}

/** Downloads what is missing of a file, over as many connections as it takes. */
async function fill(
  client: HubClient,
  url: string,
  file: HubFile,
  partial: PartialFile,
  options: DownloadFileOptions,
): Promise<void> {
  const { retryDelaysMs } = client.settings;
  let failures = 0;
  while (partial.sizeBytes < file.sizeBytes) {
    const before = partial.sizeBytes;
    try {
      await receive(await client.open(url, before), file, partial, options);
    } catch (error) {
      if (!(error instanceof NetworkError) || !error.transient) throw error;
      failures = partial.sizeBytes > before ? 1 : failures + 1;
      const delay = retryDelaysMs[failures - 1];
      if (delay === undefined) throw interrupted(file, error);
      await sleep(error.retryAfterMs ?? delay, options.signal);
    }
  }
}

/** Appends what one answer brings. @throws NetworkError (transient) when less than promised */
async function receive(
  answer: HttpAnswer,
  file: HubFile,
  partial: PartialFile,
  { onBytes }: DownloadFileOptions,
): Promise<void> {
  if (!continues(answer, partial.sizeBytes)) await partial.restart();
  for await (const piece of answer.body()) {
    const room = file.sizeBytes - partial.sizeBytes;
    await partial.append(piece.subarray(0, room));
    onBytes(partial.sizeBytes);
    // More than there should be: the checksum will say whether it is the file at all.
    if (piece.length > room) return;
  }
  if (partial.sizeBytes < file.sizeBytes) {
    const message = `${file.path} ended after ${partial.sizeBytes} of ${file.sizeBytes} bytes`;
    throw new NetworkError(message, { transient: true });
  }
}

/** Servers may answer a request for the rest of a file with the whole file. */
function continues(answer: HttpAnswer, position: number): boolean {
  if (position === 0) return answer.status === 200;
  const start = /^bytes (\d+)-/.exec(answer.header("content-range") ?? "")?.[1];
  return answer.status === 206 && Number(start) === position;
}

function interrupted({ path }: HubFile, cause: NetworkError): NetworkError {
  return new NetworkError(`the download of ${path} broke off: ${cause.message}`, {
    status: cause.status,
    hint: "run the same command again: it resumes where it stopped",
    cause,
  });
}
