import { useEffect, useRef } from "preact/hooks";
import type { Sampling } from "../server/server.ts";
import type { Theme } from "../state/kept.ts";
import type { Chat } from "../state/use-chat.ts";
import { Icon } from "./icon.tsx";

interface NumberField {
  readonly name: keyof Sampling;
  readonly label: string;
  readonly min: number;
  readonly max: number;
  readonly step: number;
  readonly hint: string;
}

const fields: readonly NumberField[] = [
  { name: "temperature", label: "Temperature", min: 0, max: 2, step: 0.05, hint: "0: always the most likely token" },
  { name: "topP", label: "Top-p", min: 0.05, max: 1, step: 0.05, hint: "1: no limit" },
  { name: "topK", label: "Top-k", min: 0, max: 1000, step: 1, hint: "0: no limit" },
  { name: "minP", label: "Min-p", min: 0, max: 1, step: 0.01, hint: "0: no limit" },
  { name: "maxTokens", label: "Most tokens", min: 0, max: 131072, step: 1, hint: "0: what the server allows" },
];

const themes: readonly (readonly [Theme, string])[] = [
  ["system", "As the system"],
  ["light", "Light"],
  ["dark", "Dark"],
];

const shortcuts: readonly (readonly [string, string])[] = [
  ["Enter", "send"],
  ["Shift + Enter", "new line"],
  ["Esc", "stop the answer, or close this"],
  ["Ctrl/⌘ + Shift + O", "new conversation"],
  ["Ctrl/⌘ + ,", "settings"],
];

/** How answers are drawn, what models are told first, and what the page looks like. */
export function SettingsPanel({ chat, close }: { readonly chat: Chat; readonly close: () => void }) {
  const { settings, current, change, update } = chat;
  const { sampling, theme, apiKey } = settings;
  const closing = useRef<HTMLButtonElement>(null);
  // Keys go on in here, and back where they were.
  useEffect(() => {
    const before = document.activeElement;
    closing.current?.focus();
    return () => {
      if (before instanceof HTMLElement) before.focus();
    };
  }, []);
  const set = (changed: Partial<Sampling>): void => change({ sampling: { ...sampling, ...changed } });
  return (
    <aside class="panel" aria-label="Settings">
      <div class="sidebar-head">
        <h2>Settings</h2>
        <button ref={closing} type="button" aria-label="Close the settings" onClick={close}>
          <Icon name="close" />
        </button>
      </div>
      <label>
        System prompt
        <textarea
          rows={4}
          value={current.system}
          placeholder="What models are told first, in this conversation"
          onInput={({ currentTarget }) => update({ ...current, system: currentTarget.value })}
        />
      </label>
      {fields.map(({ name, label, min, max, step, hint }) => (
        <label key={name}>
          <span>
            {label} <small>{hint}</small>
          </span>
          <input
            type="number"
            min={min}
            max={max}
            step={step}
            value={sampling[name] ?? ""}
            onChange={({ currentTarget }) => {
              const value = Number(currentTarget.value);
              if (Number.isFinite(value)) set({ [name]: Math.min(max, Math.max(min, value)) });
            }}
          />
        </label>
      ))}
      <label>
        <span>
          Seed <small>empty: another one each time</small>
        </span>
        <input
          type="number"
          min={0}
          step={1}
          value={sampling.seed ?? ""}
          onChange={({ currentTarget }) =>
            set({ seed: currentTarget.value === "" ? null : Math.floor(Number(currentTarget.value)) })
          }
        />
      </label>
      <label>
        Appearance
        <select value={theme} onChange={({ currentTarget }) => change({ theme: currentTarget.value as Theme })}>
          {themes.map(([id, label]) => (
            <option key={id} value={id}>
              {label}
            </option>
          ))}
        </select>
      </label>
      <form onSubmit={(event) => event.preventDefault()}>
        <label>
          <span>
            API key <small>only if the server asks for one</small>
          </span>
          <input
            type="password"
            autoComplete="off"
            value={apiKey}
            onChange={({ currentTarget }) => change({ apiKey: currentTarget.value.trim() })}
          />
        </label>
      </form>
      <h3>Keys</h3>
      <dl class="keys">
        {shortcuts.map(([keys, what]) => (
          <div key={keys}>
            <dt>
              <kbd>{keys}</kbd>
            </dt>
            <dd>{what}</dd>
          </div>
        ))}
      </dl>
    </aside>
  );
}
