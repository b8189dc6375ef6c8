// Where one writes: Enter sends, Shift+Enter makes a line. "/" completes commands, "@" and "#" complete names.
import { useContext, useEffect, useId, useLayoutEffect, useMemo, useRef, useState } from "preact/hooks";
import { useActing, type Outcome } from "../state/acting";
import { Directory } from "../state/directory";
import type { World } from "../state/world";
import { Icon } from "../ui/icons";
import { typedMentions } from "./message";
import { say } from "../words";

interface Props { world: World; channel: string; thread?: string; label: string; focusKey?: string }

interface Suggestion { insert: string; label: string; detail?: string }

/** What was begun and not sent, by person and place, while the page is open. */
const begun = new Map<string, string>();

export function Composer({ world, channel, thread, label, focusKey }: Props) {
  const { perform, tell } = useActing();
  const names = useContext(Directory);
  const place = `${world.me}/${channel}/${thread ?? ""}`;
  const box = useRef<HTMLTextAreaElement>(null);
  const files = useRef<HTMLInputElement>(null);
  const listId = useId();
  const [text, setText] = useState("");
  const [at, setAt] = useState(0);
  const [hidden, setHidden] = useState(false);
  const [busy, setBusy] = useState(false);

  useEffect(() => { setText(begun.get(place) ?? ""); setHidden(false); }, [place]);
  useEffect(() => { if (focusKey) box.current?.focus(); }, [focusKey]);
  useEffect(() => {
    // A suggested prompt, chosen elsewhere on the page, continues here.
    const take = (event: Event) => {
      const { detail } = event as CustomEvent<{ channel: string; text: string }>;
      if (detail.channel !== channel || thread) return;
      change(detail.text);
      box.current?.focus();
    };
    window.addEventListener("huisstijl:compose", take);
    return () => window.removeEventListener("huisstijl:compose", take);
  }, [place]);
  useLayoutEffect(() => {
    const area = box.current!;
    area.style.height = "auto";
    area.style.height = `${Math.min(area.scrollHeight, 220)}px`;
  }, [text]);

  const change = (next: string) => {
    begun.set(place, next);
    setText(next);
    setAt(0);
    setHidden(false);
  };

  const suggestions = useMemo(() => (hidden ? [] : suggest(text, world, Boolean(thread))), [text, hidden, world.app, world.people, world.channels]);
  const command = world.app.commands.find((c) => text.startsWith(`${c.command} `) || text === c.command);

  const accept = (chosen: Suggestion) => {
    change(text.replace(/(^|\s)[/@#][\w.-]*$/, (_, before: string) => `${before}${chosen.insert} `));
    box.current?.focus();
  };

  const send = async () => {
    const said = text.trim();
    if (!said || busy) return;
    if (command && thread) return tell(say("Slash commands do not work in threads. Write it in the channel."));
    setBusy(true);
    change("");
    let done: unknown;
    if (command) {
      const outcome = await perform<Outcome>("slash", { command: command.command, text: typedMentions(said.slice(command.command.length).trim(), world.people, world.channels), channel });
      done = outcome;
    } else if (/^\/\w+/.test(said)) {
      tell(say("{command} is not a command here.", { command: said.split(/\s/)[0]! }));
    } else {
      done = await perform("post", { channel, text: typedMentions(said, world.people, world.channels), ...(thread && { thread_ts: thread }) });
    }
    setBusy(false);
    if (done === undefined) change(said);
    box.current?.focus();
  };

  const onKeyDown = (event: KeyboardEvent) => {
    if (suggestions.length) {
      if (event.key === "ArrowDown" || event.key === "ArrowUp") {
        event.preventDefault();
        const step = event.key === "ArrowDown" ? 1 : -1;
        return setAt((at + step + suggestions.length) % suggestions.length);
      }
      if (event.key === "Escape") { event.preventDefault(); event.stopPropagation(); return setHidden(true); }
      const isWhole = suggestions[at]?.insert === text.trim();
      if (event.key === "Tab" && !event.shiftKey || (event.key === "Enter" && !event.shiftKey && !isWhole)) {
        event.preventDefault();
        return accept(suggestions[at]!);
      }
    }
    if (event.key === "Enter" && !event.shiftKey && !event.isComposing) {
      event.preventDefault();
      void send();
    }
  };

  const attach = async (list: FileList | null) => {
    for (const file of list ?? []) {
      const content_base64 = await base64(file);
      await perform("upload", { channel, name: file.name, content_base64, ...(thread && { thread_ts: thread }) });
    }
    files.current!.value = "";
  };

  return (
    <div class="composer">
      {suggestions.length > 0 && (
        <ul class="suggestions" role="listbox" id={listId} aria-label={say("Suggestions")}>
          {suggestions.map((one, n) => (
            <li key={one.insert} id={`${listId}-${n}`} role="option" aria-selected={n === at} class={n === at ? "is-active" : ""}
              onPointerDown={(event) => { event.preventDefault(); accept(one); }}>
              <strong>{one.label}</strong>{one.detail && <small>{one.detail}</small>}
            </li>
          ))}
        </ul>
      )}
      <div class="composer-box">
        <textarea ref={box} rows={1} value={text} placeholder={label} aria-label={label} spellcheck data-home-focus={thread ? undefined : true}
          aria-autocomplete="list" aria-haspopup="listbox" aria-controls={suggestions.length ? listId : undefined}
          aria-activedescendant={suggestions.length ? `${listId}-${at}` : undefined} aria-describedby={`${listId}-hint`}
          onInput={(event) => change(event.currentTarget.value)} onKeyDown={onKeyDown} />
        <div class="composer-foot">
          <input ref={files} type="file" multiple hidden tabIndex={-1} aria-hidden="true" onChange={(event) => void attach(event.currentTarget.files)} />
          <button type="button" class="icon-button" aria-label={say("Attach a file")} title={say("Attach a file")} onClick={() => files.current?.click()}>
            <Icon name="clip" />
          </button>
          <span id={`${listId}-hint`} class="composer-hint">
            {command ? <><strong>{command.command}</strong> {command.usage_hint}</> : say("Enter sends · Shift+Enter new line · / for commands")}
          </span>
          <button type="button" class="send" aria-label={say("Send")} title={say("Send")} disabled={!text.trim() || busy} onClick={() => void send()}>
            <Icon name="send" />
          </button>
        </div>
      </div>
    </div>
  );

  function suggest(said: string, { app, people, channels }: World, inThread: boolean): Suggestion[] {
    if (/^\/[\w-]*$/.test(said) && !inThread) {
      return app.commands.filter((c) => c.command.startsWith(said))
        .map((c) => ({ insert: c.command, label: `${c.command} ${c.usage_hint ?? ""}`, detail: c.description }));
    }
    const [, kind, begin = ""] = /(?:^|\s)([@#])([\w.-]*)$/.exec(said) ?? [];
    const fits = (name: string) => name.toLowerCase().startsWith(begin.toLowerCase());
    if (kind === "@") {
      return people.filter((p) => !p.deleted && p.id !== "USLACKBOT" && (fits(p.name) || fits(p.real_name))).slice(0, 6)
        .map((p) => ({ insert: `@${p.name}`, label: names.userName(p.id), detail: `@${p.name}` }));
    }
    if (kind === "#") {
      return channels.filter((c) => c.name && fits(c.name)).slice(0, 6).map((c) => ({ insert: `#${c.name}`, label: `#${c.name}` }));
    }
    return [];
  }
}

async function base64(file: File): Promise<string> {
  const bytes = new Uint8Array(await file.arrayBuffer());
  let binary = "";
  for (let n = 0; n < bytes.length; n += 0x8000) binary += String.fromCharCode(...bytes.subarray(n, n + 0x8000));
  return btoa(binary);
}
