import { formatBytes } from "../format.ts";
import { type Chat, chosenModels } from "../state/use-chat.ts";

/** Which models are asked, one or two, and what they take. */
export function ModelBar({ chat }: { readonly chat: Chat }) {
  const { models, settings, change } = chat;
  const [first, second] = chosenModels(settings.models, models);
  if (first === undefined) return <div class="models" />;
  const chosen = [first, second].filter((name) => name !== undefined);
  return (
    <div class="models">
      <Choice
        label="Model"
        value={first}
        options={models.map(({ name }) => name)}
        choose={(name) => change({ models: [name, ...(second && second !== name ? [second] : [])] })}
      />
      {models.length > 1 && (
        <Choice
          label="Compare with"
          value={second ?? ""}
          options={models.map(({ name }) => name).filter((name) => name !== first)}
          none="compare…"
          choose={(name) => change({ models: name === "" ? [first] : [first, name] })}
        />
      )}
      <span class="sizes" aria-label="Memory of the models">
        {chosen
          .map((name) => {
            const model = models.find((each) => each.name === name);
            const size = model?.bytes == null ? "not loaded" : formatBytes(model.bytes);
            return chosen.length > 1 ? `${name} ${size}` : size;
          })
          .join(" · ")}
      </span>
    </div>
  );
}

interface ChoiceProps {
  readonly label: string;
  readonly value: string;
  readonly options: readonly string[];
  readonly none?: string;
  readonly choose: (name: string) => void;
}

function Choice({ label, value, options, none, choose }: ChoiceProps) {
  return (
    <select aria-label={label} value={value} onChange={({ currentTarget }) => choose(currentTarget.value)}>
      {none !== undefined && <option value="">{none}</option>}
      {options.map((name) => (
        <option key={name} value={name}>
          {name}
        </option>
      ))}
    </select>
  );
}
