import { formatJson, readJsonObject } from "../formats/json-file.ts";
import { exists, joinPath, makeDirectories, writeText } from "../platform/node.ts";
import type { TrainResumption } from "./train-record.ts";

/** When a training began, and how it was interrupted. */
export interface TrainSession {
  readonly startedAt: string;
  readonly resumptions: readonly TrainResumption[];
}

const fileName = "session.json";

/** Reads the session of a training's journal, or begins one, and adds a resumption to it. */
export async function openSession(
  journalPath: string,
  resumption: TrainResumption | null,
): Promise<TrainSession> {
  const path = joinPath(journalPath, fileName);
  const earlier = (await exists(path))
    ? ((await readJsonObject(path)) as unknown as TrainSession)
    : { startedAt: new Date().toISOString(), resumptions: [] };
  const resumptions = [...earlier.resumptions, ...(resumption ? [resumption] : [])];
  const session = { startedAt: earlier.startedAt, resumptions };
  await makeDirectories(journalPath);
  await writeText(path, formatJson(session));
  return session;
}
