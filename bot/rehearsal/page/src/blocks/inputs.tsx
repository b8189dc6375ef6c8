// Everything that holds a value: texts, numbers, dates, selects, radio buttons, checkboxes.
// In a form the value waits for the submission; elsewhere (or with dispatch_action) it is told at once.
import { useContext, useId } from "preact/hooks";
import type { Block, Channel, Element, Option, Person } from "../slack";
import { Directory } from "../state/directory";
import { TextObject } from "../text/plain";
import { matching, Picker, type Choice } from "../ui/picker";
import { Failed, useClick, useConfirmed } from "./buttons";
import { choicesOf, tellsAtOnce, toChoice, useSurface, useValue } from "./surface";
import { say, sentence, type Sentence } from "../words";

export interface InputProps {
  block: Block;
  element: Element;
  /** What a screen reader calls it; the visible label's words. */
  label: string;
  id?: string;
  describedBy?: string;
  invalid?: boolean;
}

type HtmlType = "text" | "email" | "url" | "date" | "time" | "datetime-local";
const KINDS: Record<string, HtmlType> = { number_input: "text", email_text_input: "email", url_text_input: "url" };
const PICKERS: Record<string, HtmlType> = { datepicker: "date", timepicker: "time", datetimepicker: "datetime-local" };

/** A form control for this element, or null when it is none. */
export function Input(props: InputProps) {
  const { type } = props.element;
  if (type === "plain_text_input" || type in KINDS) return <TextInput {...props} />;
  if (type === "rich_text_input") return <RichInput {...props} />;
  if (type in PICKERS) return <TimeInput {...props} />;
  if (type === "radio_buttons" || type === "checkboxes") return <Options {...props} />;
  if (type.endsWith("_select")) return <Select {...props} />;
  return null;
}

function TextInput({ block, element, label, id, describedBy, invalid }: InputProps) {
  const [value, setValue] = useValue<string>(block, element, element.initial_value ?? "");
  const { click, failed } = useClick(block, element);
  const most = element.max_length;
  const common = {
    id, value, "aria-label": label, "aria-describedby": describedBy, "aria-invalid": invalid,
    "aria-required": block.type === "input" && !block.optional,
    placeholder: element.placeholder?.text, "data-autofocus": element.focus_on_load,
    class: `field${invalid ? " is-invalid" : ""}`,
  };
  const onEnter = (event: KeyboardEvent) => {
    if (event.key === "Enter" && block.dispatch_action) { event.preventDefault(); void click({ value }); }
  };
  return (
    <>
      {element.multiline
        ? <textarea {...common} rows={rowsFor(value)} onInput={(event) => setValue(event.currentTarget.value)} />
        : <input {...common} type={(KINDS[element.type] ?? "text") as "text"} onKeyDown={onEnter}
            inputMode={element.type === "number_input" ? (element.is_decimal_allowed ? "decimal" : "numeric") : undefined}
            onInput={(event) => setValue(event.currentTarget.value)} />}
      {most !== undefined && value.length > most * 0.9 && (
        <small class={`counter${value.length > most ? " is-over" : ""}`} role="status">{say("{length} of {most} characters", { length: value.length, most })}</small>
      )}
      <Failed failed={failed} />
    </>
  );
}

const rowsFor = (text: string) => Math.min(12, Math.max(4, text.split("\n").length + Math.floor(text.length / 90) + 1));

/** A rich text as its words: one section, as the server takes it. */
function RichInput({ block, element, label, id, describedBy, invalid }: InputProps) {
  const [value, setValue] = useValue<object | string>(block, element, element.initial_value ?? "");
  const words = typeof value === "string" ? value : wordsOf(value);
  const change = (text: string) => setValue({
    type: "rich_text", elements: [{ type: "rich_text_section", elements: [{ type: "text", text }] }],
  });
  return (
    <textarea id={id} class={`field${invalid ? " is-invalid" : ""}`} rows={rowsFor(words)} value={words} aria-label={label}
      aria-describedby={describedBy} aria-invalid={invalid} onInput={(event) => change(event.currentTarget.value)} />
  );
}

function wordsOf(node: unknown): string {
  if (Array.isArray(node)) return node.map(wordsOf).join("");
  const { text, elements } = (node ?? {}) as { text?: string; elements?: unknown[] };
  return text ?? (elements ? wordsOf(elements) : "");
}

function TimeInput({ block, element, label, id, describedBy, invalid }: InputProps) {
  const { type } = element;
  const initial = type === "datetimepicker" ? element.initial_date_time ?? null : element.initial_date ?? element.initial_time ?? null;
  const [value, setValue] = useValue<string | number | null>(block, element, initial);
  const { click, failed } = useClick(block, element);
  const shown = typeof value === "number" ? localTime(value) : value ?? "";
  const change = (text: string) => {
    const next = type === "datetimepicker" ? (text ? Math.floor(new Date(text).getTime() / 1000) : null) : text || null;
    setValue(next);
    if (next !== null && tellsAtOnce(block)) void click({ selected: next });
  };
  return (
    <>
      <input id={id} type={PICKERS[type] as "date"} class={`field field-short${invalid ? " is-invalid" : ""}`} value={shown} aria-label={label}
        aria-describedby={describedBy} aria-invalid={invalid} onChange={(event) => change(event.currentTarget.value)} />
      <Failed failed={failed} />
    </>
  );
}

function localTime(seconds: number): string {
  const at = new Date(seconds * 1000);
  return new Date(at.getTime() - at.getTimezoneOffset() * 60_000).toISOString().slice(0, 16);
}

function Options({ block, element, label, describedBy, invalid }: InputProps) {
  const many = element.type === "checkboxes";
  const name = useId();
  const initial = many ? (element.initial_options ?? []).map((o) => o.value) : element.initial_option ? [element.initial_option.value] : [];
  const [raw, setValue] = useValue<string[] | string | null>(block, element, initial);
  const chosen = Array.isArray(raw) ? raw : raw === null ? [] : [raw];
  const { click, failed } = useClick(block, element);
  const { ask, dialog } = useConfirmed(element.confirm);
  const toggle = (value: string, on: boolean) => ask(() => {
    const next = many ? (on ? [...chosen, value] : chosen.filter((v) => v !== value)) : [value];
    setValue(many ? next : value);
    if (tellsAtOnce(block)) void click({ selected: many ? next : value });
  });
  return (
    <div class="options" role={many ? "group" : "radiogroup"} aria-label={label} aria-describedby={describedBy} aria-invalid={invalid}>
      {(element.options ?? []).map((option: Option) => (
        <label key={option.value} class="check">
          <input type={many ? "checkbox" : "radio"} name={name} value={option.value} checked={chosen.includes(option.value)}
            onChange={(event) => toggle(option.value, event.currentTarget.checked)} />
          <span>
            <TextObject text={option.text} />
            {option.description && <small><TextObject text={option.description} /></small>}
          </span>
        </label>
      ))}
      <Failed failed={failed} />
      {dialog}
    </div>
  );
}

// --- selects ----------------------------------------------------------------------------------------------

function Select({ block, element, label, id, describedBy, invalid }: InputProps) {
  const names = useContext(Directory);
  const { ask: askApp, form } = useSurface();
  const many = element.type.startsWith("multi_");
  const kind = element.type.replace(/^multi_/, "").replace(/_select$/, "");
  const isExternal = kind === "external";
  const known = kind === "static" ? choicesOf(element) : kind === "users" ? peopleChoices(names.people) : conversationChoices(names.channels, element, kind);

  const [chosen, setChosen] = useValue<Choice[]>(block, element, initialChoices(element, known));
  const { click, busy, failed } = useClick(block, element);
  const { ask, dialog } = useConfirmed(element.confirm);

  const choose = (next: Choice[]) => ask(() => {
    setChosen(next);
    if (tellsAtOnce(block)) void click({ selected: submitted(next, many, isExternal) });
  });
  const find = (typed: string) => {
    if (!isExternal) return matching(known, typed);
    if (typed.length < (element.min_query_length ?? 3)) return [];
    return askApp({ action_id: element.action_id ?? "", block_id: block.block_id ?? "", value: typed });
  };
  return (
    <>
      <Picker id={id} label={label} placeholder={element.placeholder?.text} chosen={chosen} many={many} most={element.max_selected_items}
        describedBy={describedBy} invalid={invalid} compact={!form || block.type !== "input"} autofocus={element.focus_on_load}
        find={find} onChoose={choose} />
      {busy && <span class="sr-only" role="status">{say("Sending")}</span>}
      <Failed failed={failed} />
      {dialog}
    </>
  );
}

/** A select's choices in the shape that the server takes. */
export function submitted(chosen: Choice[], many: boolean, isExternal: boolean): unknown {
  const values = chosen.map((c) => (isExternal ? { text: { type: "plain_text", text: c.label }, value: c.value } : c.value));
  return many ? values : values[0] ?? null;
}

function initialChoices(element: Element, known: Choice[]): Choice[] {
  const options = element.initial_options ?? (element.initial_option ? [element.initial_option] : []);
  if (options.length) return options.map((o) => toChoice(o));
  const one = element.initial_user ?? element.initial_conversation ?? element.initial_channel;
  const ids = element.initial_users ?? element.initial_conversations ?? element.initial_channels ?? (one ? [one] : []);
  return ids.map((id) => known.find((c) => c.value === id) ?? { value: id, label: id });
}

const peopleChoices = (people: Person[]): Choice[] =>
  people.filter((p) => !p.deleted && p.id !== "USLACKBOT").map((p) => ({ value: p.id, label: p.is_bot ? "Huisstijl" : p.real_name || p.name, detail: `@${p.name}` }));

function conversationChoices(channels: Channel[], element: Element, kind: string): Choice[] {
  const wanted = kind === "channels" ? ["public"] : element.filter?.include;
  const kindOf = (c: Channel) => ({ channel: "public", group: "private", im: "im", mpim: "mpim" })[c.kind];
  return channels
    .filter((c) => !c.is_archived && (wanted ? wanted.includes(kindOf(c)) : true))
    .filter((c) => !(c.kind === "im" && element.filter?.exclude_bot_users))
    .map((c) => ({ value: c.id, label: c.kind === "im" ? "Huisstijl" : c.name, detail: KIND_NAMES[c.kind]() }));
}

const KIND_NAMES: Record<Channel["kind"], Sentence> = {
  channel: sentence("Channel"), group: sentence("Private channel"), im: sentence("Direct message"), mpim: sentence("Group"),
};
