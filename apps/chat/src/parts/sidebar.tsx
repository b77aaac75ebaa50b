import { useRef, useState } from "preact/hooks";
import { type Conversation, titleOf } from "../state/conversation.ts";
import { readExported, writeExported } from "../state/exported.ts";
import type { Chat } from "../state/use-chat.ts";
import { Icon } from "./icon.tsx";

/** The conversations that this browser keeps. */
export function Sidebar({ chat, close }: { readonly chat: Chat; readonly close: () => void }) {
  const { conversations, current } = chat;
  const [problem, setProblem] = useState<string | null>(null);
  const file = useRef<HTMLInputElement>(null);
  const take = async (chosen: File | undefined): Promise<void> => {
    if (!chosen) return;
    try {
      chat.take(readExported(await chosen.text()));
      setProblem(null);
    } catch (error) {
      setProblem(`${chosen.name}: ${error instanceof Error ? error.message : String(error)}`);
    }
  };
  return (
    <nav class="sidebar" aria-label="Conversations">
      <div class="sidebar-head">
        <h2>Conversations</h2>
        <button type="button" aria-label="Close the list" class="only-phone" onClick={close}>
          <Icon name="close" />
        </button>
      </div>
      <button
        type="button"
        class="wide"
        onClick={() => {
          chat.begin();
          close();
        }}
      >
        <Icon name="plus" /> New conversation
      </button>
      <ul>
        {conversations.map((each) => (
          <Entry
            key={each.id}
            conversation={each}
            isCurrent={each.id === current.id}
            open={() => {
              chat.open(each.id);
              close();
            }}
            rename={(title) => chat.update({ ...each, title })}
            remove={() => chat.remove(each.id)}
          />
        ))}
      </ul>
      {problem !== null && (
        <p class="error" role="alert">
          {problem}
        </p>
      )}
      <div class="sidebar-foot">
        <button type="button" disabled={conversations.length === 0} onClick={() => download(conversations)}>
          Export
        </button>
        <button type="button" onClick={() => file.current?.click()}>
          Import
        </button>
        <input
          ref={file}
          type="file"
          accept="application/json,.json"
          aria-label="File of conversations"
          hidden
          onChange={({ currentTarget }) => {
            void take(currentTarget.files?.[0]);
            currentTarget.value = "";
          }}
        />
      </div>
    </nav>
  );
}

interface EntryProps {
  readonly conversation: Conversation;
  readonly isCurrent: boolean;
  readonly open: () => void;
  readonly rename: (title: string) => void;
  readonly remove: () => void;
}

function Entry({ conversation, isCurrent, open, rename, remove }: EntryProps) {
  const [draft, setDraft] = useState<string | null>(null);
  const title = titleOf(conversation);
  if (draft !== null) {
    const finish = (): void => {
      rename(draft.trim());
      setDraft(null);
    };
    return (
      <li>
        <input
          class="rename"
          aria-label="Title"
          value={draft}
          ref={(field) => field?.focus()}
          onInput={({ currentTarget }) => setDraft(currentTarget.value)}
          onBlur={finish}
          onKeyDown={(event) => {
            if (event.key === "Enter") finish();
            if (event.key === "Escape") {
              event.stopPropagation();
              setDraft(null);
            }
          }}
        />
      </li>
    );
  }
  return (
    <li class={isCurrent ? "current" : ""}>
      <button type="button" class="open" aria-current={isCurrent ? "page" : undefined} onClick={open}>
        {title}
      </button>
      <button type="button" aria-label={`Rename ${title}`} title="Rename" onClick={() => setDraft(title)}>
        <Icon name="edit" />
      </button>
      <button type="button" aria-label={`Delete ${title}`} title="Delete" onClick={remove}>
        <Icon name="trash" />
      </button>
    </li>
  );
}

function download(conversations: readonly Conversation[]): void {
  const url = URL.createObjectURL(new Blob([writeExported(conversations)], { type: "application/json" }));
  const link = document.createElement("a");
  link.href = url;
  link.download = "fewbit-conversations.json";
  link.click();
  setTimeout(() => URL.revokeObjectURL(url), 1000);
}
