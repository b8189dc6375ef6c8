// What happened underneath, as the operator sees it: events and their acknowledgement, Web API calls, rows, prompts.
import { useEffect, useRef, useState } from "preact/hooks";
import { keepOpen } from "../state/live";
import { Icon } from "../ui/icons";
import { rove } from "../ui/roving";
import { listed, locale, say, sayCount, sentence, type Sentence } from "../words";

interface Attempt { number: number; reason: string; ms: number | null; failure: string | null }

type Entry = { key: string; at: number } & (
  | { kind: "delivery"; delivery: { kind: string; type: string; state: "pending" | "acked" | "failed"; user: string | null; channel: string | null; ack_ms: number | null; attempts: Attempt[]; payload: object } }
  | { kind: "call"; call: { method: string; args: object; status: number; ok: boolean; error: string | null; result: object; ms: number | null } }
  | { kind: "row"; row: { table: string; id: string; change: "inserted" | "updated" | "deleted"; columns: Record<string, unknown>; changed?: string[] } }
  | { kind: "prompt"; prompt: { draft_id: string | null; model: string; max_tokens?: number; temperature?: number; messages: { role: string; content: string }[] } }
);
type Kind = Entry["kind"];
interface Sources { rows: boolean; prompts: boolean }

const KINDS: [Kind | "all", Sentence][] = [
  ["all", sentence("All")], ["delivery", sentence("Events")], ["call", sentence("Calls")], ["row", sentence("Rows")],
  ["prompt", sentence("Prompts")],
];
const CHANGES = { inserted: sentence("added"), updated: sentence("changed"), deleted: sentence("removed") };
const ROLES: Record<string, Sentence> = {
  system: sentence("Instructions"), user: sentence("Request"), assistant: sentence("Answer"),
};
const MOST = 400;

function useEntries(): [Entry[], Sources] {
  const [entries, setEntries] = useState<Entry[]>([]);
  const [sources, setSources] = useState<Sources>({ rows: true, prompts: true });
  useEffect(() => keepOpen("/page/inspect/live", (frame) => {
    const said = frame as { entries: Entry[]; sources?: Sources };
    if (said.sources) setSources(said.sources);
    setEntries((now) => merge(said.sources ? [] : now, said.entries));
  }, () => {}), []);
  return [entries, sources];
}

function merge(now: Entry[], news: Entry[]): Entry[] {
  const byKey = new Map(now.map((entry) => [entry.key, entry]));
  for (const entry of news) byKey.set(entry.key, entry);
  return [...byKey.values()].sort((a, b) => a.at - b.at).slice(-MOST);
}

export function Inspector({ onClose }: { onClose: () => void }) {
  const [entries, sources] = useEntries();
  const [kind, setKind] = useState<Kind | "all">("all");
  const list = useRef<HTMLDivElement>(null);
  const stick = useRef(true);
  const shown = kind === "all" ? entries : entries.filter((entry) => entry.kind === kind);
  const missing = (kind === "row" && !sources.rows) || (kind === "prompt" && !sources.prompts);

  useEffect(() => {
    if (stick.current && list.current) list.current.scrollTop = list.current.scrollHeight;
  }, [shown.length]);

  return (
    <aside class="pane inspector" aria-label={say("What happened underneath")}
      onKeyDown={(event) => { if (event.key === "Escape" && !event.defaultPrevented) onClose(); }}>
      <header class="bar">
        <h2 class="bar-title"><Icon name="layers" /> {say("Underneath")}</h2>
        <span class="about">{say("as the operator sees it")}</span>
        <span class="grow" />
        <button type="button" class="icon-button" aria-label={say("Close the panel")} title={say("Close the panel")} onClick={onClose}><Icon name="close" /></button>
      </header>
      <div class="tabs tabs-small" role="tablist" aria-label={say("Kinds of entries")} onKeyDown={(event) => void rove(event, "[role=tab]", { horizontal: true })}>
        {KINDS.map(([one, words]) => (
          <button key={one} type="button" role="tab" class="tab" aria-selected={kind === one} tabIndex={kind === one ? 0 : -1}
            aria-controls="inspector-list" onClick={() => setKind(one)}>{words()}</button>
        ))}
      </div>
      <div class="entries" id="inspector-list" role="tabpanel" aria-label={say("Entries, oldest first")} tabIndex={0} ref={list}
        onScroll={() => { const box = list.current!; stick.current = box.scrollHeight - box.scrollTop - box.clientHeight < 80; }}>
        {missing && <p class="entries-empty">{say("Not available: the workspace runs without the bot's database beside it.")}</p>}
        {!missing && !shown.length && <p class="entries-empty">{say("Nothing yet. Write something, and see here what it sets in motion.")}</p>}
        {shown.map((entry) => <EntryRow key={entry.key} entry={entry} />)}
      </div>
    </aside>
  );
}

const timeOf = (at: number) => {
  const when = new Date(at * 1000);
  return `${when.toLocaleTimeString(locale(), { hour12: false })}.${String(when.getMilliseconds()).padStart(3, "0")}`;
};
/** Milliseconds, as exact as one reads them. */
const exact = (value: number | null) => (value === null ? "?" : value < 10 ? Math.round(value * 10) / 10 : Math.round(value));

function EntryRow({ entry }: { entry: Entry }) {
  const [open, setOpen] = useState(false);
  const { kindName, title, note, state } = summary(entry);
  return (
    <details class={`entry entry-${entry.kind}`} onToggle={(event) => setOpen(event.currentTarget.open)} data-kind={entry.kind}>
      <summary>
        <span class="entry-kind">{kindName}</span>
        <span class="entry-title">{title}</span>
        <span class={`entry-note state-${state}`}>{note}</span>
        <time class="entry-time">{timeOf(entry.at)}</time>
      </summary>
      {open && <Detail entry={entry} />}
    </details>
  );
}

function summary(entry: Entry): { kindName: string; title: string; note: string; state: "good" | "bad" | "open" | "plain" } {
  switch (entry.kind) {
    case "delivery": {
      const { type, state, ack_ms, attempts } = entry.delivery;
      const tries = attempts.length > 1 && say("try {number}", { number: attempts.length });
      const told = { kindName: say("event"), title: type };
      if (state === "acked") return { ...told, note: listed(say("acknowledged in {ms} ms", { ms: exact(ack_ms) }), tries), state: "good" };
      if (state === "failed") return { ...told, note: listed(say("not acknowledged"), tries), state: "bad" };
      return { ...told, note: listed(say("waiting"), tries), state: "open" };
    }
    case "call": {
      const { method, ok, error } = entry.call;
      return { kindName: say("call"), title: method, note: ok ? say("ok in {ms} ms", { ms: exact(entry.call.ms) }) : error ?? say("failed"), state: ok ? "good" : "bad" };
    }
    case "row": {
      const { table, change, changed, columns } = entry.row;
      const what = change === "updated" ? (changed ?? Object.keys(columns)).join(", ") : "";
      return { kindName: say("row"), title: table, note: what ? say("changed: {columns}", { columns: what }) : CHANGES[change](), state: "plain" };
    }
    case "prompt":
      return { kindName: say("prompt"), title: entry.prompt.model, note: sayCount(entry.prompt.messages.length, "1 message", "{count} messages"), state: "plain" };
  }
}

function Detail({ entry }: { entry: Entry }) {
  switch (entry.kind) {
    case "delivery":
      return (
        <div class="entry-detail">
          <ol class="attempts">
            {entry.delivery.attempts.map((one) => (
              <li key={one.number}>
                {one.ms === null ? one.failure ?? say("no acknowledgement yet") : say("acknowledged after {ms} ms", { ms: exact(one.ms) })}
                {one.reason && <small> {say("(sent again: {reason})", { reason: one.reason })}</small>}
              </li>
            ))}
          </ol>
          <Json value={entry.delivery.payload} />
        </div>
      );
    case "call":
      return <div class="entry-detail"><h3>{say("Asked")}</h3><Json value={entry.call.args} /><h3>{say("Answered {status}", { status: String(entry.call.status) })}</h3><Json value={entry.call.result} /></div>;
    case "row":
      return (
        <div class="entry-detail">
          <p class="mono">{entry.row.id}</p>
          <dl class="columns">
            {Object.entries(entry.row.columns).map(([name, value]) => (
              <div key={name}><dt>{name}</dt><dd>{typeof value === "string" ? value : JSON.stringify(value)}</dd></div>
            ))}
          </dl>
        </div>
      );
    case "prompt":
      return (
        <div class="entry-detail">
          {entry.prompt.messages.map((message, n) => (
            <section key={n} class={`said said-${message.role}`}><h3>{ROLES[message.role]?.() ?? message.role}</h3><pre tabIndex={0}>{message.content}</pre></section>
          ))}
        </div>
      );
  }
}

const Json = ({ value }: { value: unknown }) => <pre class="json" tabIndex={0}>{JSON.stringify(value, null, 2)}</pre>;
