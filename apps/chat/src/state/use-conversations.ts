import { type Dispatch, type StateUpdater, useEffect, useRef, useState } from "preact/hooks";
import { type Conversation, isWriting } from "./conversation.ts";
import { conversationsKey, keepConversations, loadConversations } from "./kept.ts";

/** Streams change conversations many times a second. */
const keepMs = 500;

interface Kept {
  readonly conversations: readonly Conversation[];
  readonly setConversations: Dispatch<StateUpdater<readonly Conversation[]>>;
  /** Whether the browser had no room for them. */
  readonly full: boolean;
}

/** Conversations as the browser keeps them: some changes at a time, and those of other tabs too. */
export function useConversations(): Kept {
  const [conversations, setConversations] = useState<readonly Conversation[]>(() =>
    loadConversations(localStorage),
  );
  const [full, setFull] = useState(false);
  const latest = useRef(conversations);
  latest.current = conversations;
  const timer = useRef<number | null>(null);
  const keep = (): void => {
    if (timer.current === null) return;
    clearTimeout(timer.current);
    timer.current = null;
    setFull(!keepConversations(localStorage, latest.current));
  };
  useEffect(() => {
    timer.current ??= window.setTimeout(keep, keepMs);
  }, [conversations]);
  useEffect(() => {
    const noteOtherTab = ({ key }: StorageEvent): void => {
      if (key !== conversationsKey) return;
      const theirs = loadConversations(localStorage);
      setConversations((mine) => joined(mine, theirs));
    };
    addEventListener("pagehide", keep);
    addEventListener("storage", noteOtherTab);
    return () => {
      removeEventListener("pagehide", keep);
      removeEventListener("storage", noteOtherTab);
    };
  }, []);
  return { conversations, setConversations, full };
}

/** What another tab keeps, but for what is being answered here. */
function joined(
  mine: readonly Conversation[],
  theirs: readonly Conversation[],
): readonly Conversation[] {
  const written = mine.filter(isWriting);
  const ids = new Set(written.map(({ id }) => id));
  return [...written, ...theirs.filter(({ id }) => !ids.has(id))];
}
