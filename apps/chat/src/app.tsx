import { useEffect, useState } from "preact/hooks";
import { Composer } from "./parts/composer.tsx";
import { Icon } from "./parts/icon.tsx";
import { ModelBar } from "./parts/model-bar.tsx";
import { SettingsPanel } from "./parts/settings-panel.tsx";
import { Sidebar } from "./parts/sidebar.tsx";
import { Transcript } from "./parts/transcript.tsx";
import { isWriting, titleOf } from "./state/conversation.ts";
import { type Chat, chosenModels, useChat } from "./state/use-chat.ts";

/** The whole page. */
export function App() {
  const chat = useChat();
  const { current, models, settings, problem } = chat;
  const [listOpen, setListOpen] = useState(false);
  const [settingsOpen, setSettingsOpen] = useState(false);
  const writes = isWriting(current);
  useEffect(() => {
    document.documentElement.dataset["theme"] = settings.theme;
  }, [settings.theme]);
  useEffect(() => {
    document.title = current.exchanges.length > 0 ? `${titleOf(current)} – fewbit chat` : "fewbit chat";
  }, [current]);
  useKeys({
    escape: () => {
      if (settingsOpen) setSettingsOpen(false);
      else if (listOpen) setListOpen(false);
      else chat.stop();
    },
    begin: chat.begin,
    settings: () => setSettingsOpen((open) => !open),
  });
  const asked = chosenModels(settings.models, models);
  return (
    <div class={`page${listOpen ? " list-open" : ""}${settingsOpen ? " settings-open" : ""}`}>
      <a class="skip" href="#message">
        To the message
      </a>
      <Sidebar chat={chat} close={() => setListOpen(false)} />
      <main>
        <header>
          <button
            type="button"
            class="only-phone"
            aria-label="Conversations"
            aria-expanded={listOpen}
            onClick={() => setListOpen(!listOpen)}
          >
            <Icon name="menu" />
          </button>
          <h1>fewbit</h1>
          <ModelBar chat={chat} />
          <button
            type="button"
            aria-label="Settings"
            title="Settings"
            aria-expanded={settingsOpen}
            onClick={() => setSettingsOpen(!settingsOpen)}
          >
            <Icon name="settings" />
          </button>
        </header>
        {problem && <ProblemBar chat={chat} />}
        <Transcript conversation={current} models={asked} send={chat.send} />
        <Composer
          conversationId={current.id}
          writes={writes}
          disabled={asked.length === 0}
          send={chat.send}
          stop={chat.stop}
        />
      </main>
      {settingsOpen && <SettingsPanel chat={chat} close={() => setSettingsOpen(false)} />}
    </div>
  );
}

/** What is wrong with the server, with the key that it asks for, or a way to try again. */
function ProblemBar({ chat }: { readonly chat: Chat }) {
  const [key, setKey] = useState("");
  const { problem, change, refresh } = chat;
  if (!problem) return null;
  return (
    <div class="problem" role="alert">
      <p>{problem.text}</p>
      {problem.needsKey ? (
        <form
          onSubmit={(event) => {
            event.preventDefault();
            change({ apiKey: key.trim() });
          }}
        >
          <input
            type="password"
            aria-label="API key"
            placeholder="API key"
            autoComplete="off"
            value={key}
            onInput={({ currentTarget }) => setKey(currentTarget.value)}
          />
          <button type="submit">Use it</button>
        </form>
      ) : (
        <button type="button" onClick={refresh}>
          Try again
        </button>
      )}
    </div>
  );
}

interface Keys {
  readonly escape: () => void;
  readonly begin: () => void;
  readonly settings: () => void;
}

function useKeys(keys: Keys): void {
  useEffect(() => {
    const pressed = (event: KeyboardEvent): void => {
      const isCommand = event.ctrlKey || event.metaKey;
      if (event.key === "Escape") keys.escape();
      else if (isCommand && event.shiftKey && event.key.toLowerCase() === "o") {
        event.preventDefault();
        keys.begin();
      } else if (isCommand && event.key === ",") {
        event.preventDefault();
        keys.settings();
      }
    };
    addEventListener("keydown", pressed);
    return () => removeEventListener("keydown", pressed);
  });
}
