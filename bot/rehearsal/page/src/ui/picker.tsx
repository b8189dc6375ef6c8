// One combobox for every select of Slack's: static, people, conversations and external ones, one choice or many.
// Typing filters (or asks the app), arrows move, Enter chooses, Backspace takes the last choice back, Escape closes.
import { useEffect, useId, useLayoutEffect, useMemo, useRef, useState } from "preact/hooks";
import { Icon } from "./icons";
import { Popup } from "./popup";
import { say } from "../words";

export interface Choice { value: string; label: string; detail?: string; group?: string }

interface Props {
  label: string;
  id?: string;
  placeholder?: string;
  chosen: Choice[];
  many?: boolean;
  most?: number;
  describedBy?: string;
  invalid?: boolean;
  autofocus?: boolean;
  compact?: boolean;
  /** The choices for what was typed; at once, or later. */
  find: (typed: string) => Choice[] | Promise<Choice[]>;
  onChoose: (chosen: Choice[]) => void;
}

export function Picker(props: Props) {
  const { label, chosen, many, most, find, onChoose } = props;
  const listId = useId();
  const box = useRef<HTMLDivElement>(null);
  const input = useRef<HTMLInputElement>(null);
  const [open, setOpen] = useState(false);
  const [typed, setTyped] = useState("");
  const [answered, setAnswered] = useState<Choice[]>([]);
  const [busy, setBusy] = useState(false);
  const [at, setAt] = useState(0);

  // What is known is filtered at once, so that Enter never chooses from an older list; the app's answer comes later.
  const found = useMemo(() => (open ? find(typed) : []), [open, typed]);
  const choices = Array.isArray(found) ? found : answered;

  // Before the next key: an effect comes after painting, and would take back what an arrow has moved by then.
  useLayoutEffect(() => {
    setAt(Math.max(0, typed ? 0 : choices.findIndex((c) => c.value === chosen[0]?.value)));
  }, [found]);

  useEffect(() => {
    if (Array.isArray(found)) return;
    let stale = false;
    setBusy(true);
    void found.then((list) => { if (!stale) { setAnswered(list); setBusy(false); } });
    return () => { stale = true; };
  }, [found]);

  const isChosen = (choice: Choice) => chosen.some((c) => c.value === choice.value);
  const close = () => { setOpen(false); setTyped(""); };
  const choose = (choice: Choice | undefined) => {
    if (!choice) return;
    if (!many) {
      onChoose([choice]);
      close();
    } else if (isChosen(choice)) {
      onChoose(chosen.filter((c) => c.value !== choice.value));
    } else if (!most || chosen.length < most) {
      onChoose([...chosen, choice]);
      setTyped("");
    }
  };

  const onKeyDown = (event: KeyboardEvent) => {
    const { key } = event;
    if (key === "ArrowDown" || key === "ArrowUp") {
      event.preventDefault();
      if (!open) return setOpen(true);
      const step = key === "ArrowDown" ? 1 : -1;
      setAt((at + step + choices.length) % Math.max(1, choices.length));
    } else if (key === "Enter") {
      event.preventDefault();
      if (open) choose(choices[at]);
      else setOpen(true);
    } else if (key === "Backspace" && !typed && many && chosen.length) {
      onChoose(chosen.slice(0, -1));
    } else if (key === "Tab") {
      close();
    }
  };

  useEffect(() => {
    document.getElementById(`${listId}-${at}`)?.scrollIntoView({ block: "nearest" });
  }, [at, open]);

  const single = !many ? chosen[0]?.label : undefined;
  return (
    <div class={`picker${props.compact ? " picker-compact" : ""}${props.invalid ? " is-invalid" : ""}`} ref={box}
      onClick={() => { input.current?.focus(); setOpen(true); }}>
      {many && chosen.map((choice) => (
        <span key={choice.value} class="chip">
          {choice.label}
          <button type="button" aria-label={say("Remove {choice}", { choice: choice.label })} onClick={(event) => { event.stopPropagation(); onChoose(chosen.filter((c) => c !== choice)); }}>
            <Icon name="close" size={12} />
          </button>
        </span>
      ))}
      <input ref={input} id={props.id} role="combobox" autocomplete="off" spellcheck={false} aria-label={label}
        aria-expanded={open} aria-controls={open ? listId : undefined} aria-autocomplete="list"
        aria-activedescendant={open && choices[at] ? `${listId}-${at}` : undefined}
        aria-describedby={props.describedBy} aria-invalid={props.invalid} data-autofocus={props.autofocus}
        size={props.compact ? Math.max(6, (single ?? props.placeholder ?? say("Choose")).length) : undefined}
        placeholder={many && chosen.length ? "" : open && single ? single : props.placeholder ?? say("Choose")}
        value={open ? typed : single ?? ""}
        onInput={(event) => {
          // Closed, the box shows the choice; what is typed then starts a new search.
          setTyped(open ? event.currentTarget.value : event.data ?? "");
          setOpen(true);
        }}
        onKeyDown={onKeyDown} />
      <span class="picker-arrow"><Icon name="chevron" size={14} /></span>
      {open && (
        <Popup anchor={box} onClose={close} matchWidth className="popup-list">
          <ul role="listbox" id={listId} aria-label={label} aria-multiselectable={many || undefined} class="listbox">
            {choices.map((choice, n) => (
              <ChoiceRow key={choice.value} id={`${listId}-${n}`} choice={choice} heading={choice.group !== choices[n - 1]?.group ? choice.group : undefined}
                active={n === at} selected={isChosen(choice)} onPick={() => choose(choice)} onHover={() => setAt(n)} />
            ))}
            {!choices.length && <li class="listbox-empty" role="presentation">{busy ? say("Searching…") : say("Nothing found")}</li>}
          </ul>
        </Popup>
      )}
    </div>
  );
}

interface RowProps { id: string; choice: Choice; heading?: string; active: boolean; selected: boolean; onPick: () => void; onHover: () => void }

function ChoiceRow({ id, choice, heading, active, selected, onPick, onHover }: RowProps) {
  return (
    <>
      {heading && <li class="listbox-heading" role="presentation">{heading}</li>}
      <li id={id} role="option" aria-selected={selected} class={`option${active ? " is-active" : ""}`}
        onPointerMove={onHover} onPointerDown={(event) => event.preventDefault()}
        onClick={(event) => { event.stopPropagation(); onPick(); }}>
        <span class="option-mark">{selected && <Icon name="check" size={14} />}</span>
        <span>{choice.label}{choice.detail && <small>{choice.detail}</small>}</span>
      </li>
    </>
  );
}

/** Choices whose label holds what was typed. */
export const matching = (choices: Choice[], typed: string): Choice[] => {
  const wanted = typed.trim().toLocaleLowerCase();
  return wanted ? choices.filter((c) => c.label.toLocaleLowerCase().includes(wanted)) : choices;
};
