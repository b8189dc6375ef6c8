// One message: who, when, what; its files and reactions; the way into its thread; and what can be done with it.
import { memo } from "preact/compat";
import { useContext, useMemo, useRef, useState } from "preact/hooks";
import { Blocks } from "../blocks/blocks";
import { SurfaceContext, type Surface } from "../blocks/surface";
import { choicesOf } from "../blocks/surface";
import type { Message, SlackFile } from "../slack";
import { useActing, type Outcome } from "../state/acting";
import { Directory } from "../state/directory";
import type { World } from "../state/world";
import { EMOJI, REACTIONS, withEmoji } from "../text/emoji";
import { Markdown } from "../text/markdown";
import { Mrkdwn } from "../text/mrkdwn";
import { Avatar } from "../ui/avatar";
import { Icon } from "../ui/icons";
import { MenuButton, type MenuItem } from "../ui/menu";
import { clockTime, Time } from "./when";
import { listed, say, sayCount } from "../words";

interface Props {
  message: Message;
  channel: string;
  me: string;
  app: World["app"];
  /** Follows a message of the same person closely: no need to say again who it is. */
  follows: boolean;
  inThread: boolean;
  isTarget?: boolean;
  status?: string;
  onThread?: (root: string) => void;
}

export const MessageRow = memo(function MessageRow(props: Props) {
  const { message, channel, follows, inThread, isTarget } = props;
  const { userName, person } = useContext(Directory);
  const [held, setHeld] = useState(false);
  const [editing, setEditing] = useState(false);
  const isBot = person(message.user)?.is_bot;
  const isGone = message.subtype === "tombstone";
  const streaming = message.stream === "open" || message.stream === "stopped_by_user";
  const name = userName(message.user);
  return (
    <article class={`message${follows ? " follows" : ""}${isTarget ? " is-target" : ""}${held ? " is-held" : ""}${message.is_ephemeral ? " is-ephemeral" : ""}`}
      tabIndex={-1} data-ts={message.ts} aria-label={listed(name, clockTime(message.ts))} aria-busy={streaming}>
      <div class="message-side">{follows ? <Time ts={message.ts} /> : <Avatar id={message.user} />}</div>
      <div class="message-main">
        {!follows && (
          <header class="message-head">
            <strong class="author">{name}</strong>
            {isBot && message.user !== "USLACKBOT" && <span class="badge">{say("App")}</span>}
            <Time ts={message.ts} />
          </header>
        )}
        {message.is_ephemeral && <p class="only-you"><Icon name="lock" size={13} /> {say("Only you can see this")}</p>}
        {isGone ? <p class="gone">{say("This message was deleted.")}</p>
          : editing ? <EditBox message={message} channel={channel} onDone={() => setEditing(false)} />
          : <Content {...props} streaming={streaming} />}
        {!isGone && <Reactions {...props} />}
        {!inThread && <ThreadLink {...props} />}
      </div>
      {!isGone && !editing && <Toolbar {...props} onHold={setHeld} onEdit={() => setEditing(true)} />}
    </article>
  );
});

/** Where clicks in this message go. */
function useMessageSurface({ message, channel, me, inThread }: Props): Surface {
  const { perform } = useActing();
  return useMemo(() => ({
    id: `m${inThread ? "t" : ""}${message.ts.replace(".", "-")}`,
    send: (click) => perform<Outcome>("click", { channel, ts: message.ts, ...click }),
    ask: async (question) => {
      const found = await perform<unknown>("options", { channel, ts: message.ts, ...question });
      return readOptions(found);
    },
    pictureUrl: (id) => `/page/file/${encodeURIComponent(id)}?as=${encodeURIComponent(me)}`,
  }), [message.ts, channel, me, inThread, perform]);
}

export const readOptions = (found: unknown) =>
  choicesOf(Array.isArray(found) ? { options: found } : ((found ?? {}) as object));

function Content(props: Props & { streaming: boolean }) {
  const { message, streaming } = props;
  const surface = useMessageSurface(props);
  return (
    <SurfaceContext.Provider value={surface}>
      {streaming ? <Stream {...props} />
        : message.blocks?.length ? <Blocks blocks={message.blocks} />
        : message.text ? <div class="text"><Mrkdwn text={message.text} /></div> : null}
      {message.edited && message.stream === undefined && <small class="edited">{say("(edited)")}</small>}
      {message.files?.map((file) => <FileCard key={file.id} file={file} me={props.me} />)}
    </SurfaceContext.Provider>
  );
}

/** An answer as it is being written, with the button that stops it. */
function Stream({ message, channel, app }: Props) {
  const { perform } = useActing();
  const stopped = message.stream === "stopped_by_user";
  return (
    <div class="stream">
      {message.text && <Markdown text={message.text} />}
      {message.stream_blocks && <Blocks blocks={message.stream_blocks} />}
      <div class="stream-foot">
        <span class="writing"><span class="dots" aria-hidden="true"><i /><i /><i /></span> {stopped ? say("Stopping…") : say("Writing…")}</span>
        {!stopped && app.can_stop && (
          <button type="button" class="button button-small" onClick={() => void perform("stop_stream", { channel, ts: message.ts })}>
            <Icon name="stop" size={13} /> {say("Stop")}
          </button>
        )}
      </div>
    </div>
  );
}

function FileCard({ file, me }: { file: SlackFile; me: string }) {
  const url = file.page_url ?? `/page/file/${file.id}?as=${encodeURIComponent(me)}`;
  const title = file.title || file.name || say("File");
  if (file.mimetype?.startsWith("image/")) {
    return (
      <figure class="file-picture">
        <figcaption>{title}</figcaption>
        <a href={url} target="_blank" rel="noopener noreferrer"><img src={url} alt={file.alt_txt || title} loading="lazy" /></a>
      </figure>
    );
  }
  return (
    <a class="file-card" href={url} target="_blank" rel="noopener noreferrer" download={file.name}>
      <Icon name="file" size={22} />
      <span><strong>{title}</strong><small>{listed(file.mimetype, file.size !== undefined && sizeOf(file.size))}</small></span>
    </a>
  );
}

const sizeOf = (bytes: number) => (
  bytes < 1024 ? sayCount(bytes, "{count} byte", "{count} bytes")
  : bytes < 1_048_576 ? say("{size} KB", { size: Math.round(bytes / 1024) })
  : say("{size} MB", { size: Math.round(bytes / 104_857.6) / 10 })
);

function Reactions({ message, channel, me }: Props) {
  const { perform } = useActing();
  const { userName } = useContext(Directory);
  if (!message.reactions?.length) return null;
  return (
    <div class="reactions" role="group" aria-label={say("Reactions")}>
      {message.reactions.map(({ name, users, count }) => {
        const mine = users.includes(me);
        const who = users.map(userName).join(", ");
        return (
          <button key={name} type="button" class="reaction" aria-pressed={mine} title={say("{who} reacted with :{emoji}:", { who, emoji: name })}
            aria-label={say("{emoji}, {count}: {who}", { emoji: name, count, who })} onClick={() => void perform("react", { channel, ts: message.ts, name, remove: mine })}>
            <span aria-hidden="true">{EMOJI[name] ?? `:${name}:`}</span> {count}
          </button>
        );
      })}
    </div>
  );
}

function ThreadLink({ message, onThread, status }: Props) {
  const count = message.reply_count ?? 0;
  if (!count && !status) return null;
  return (
    <button type="button" class="thread-link" onClick={() => onThread?.(message.ts)}>
      <Icon name="thread" size={15} />
      {count > 0 && <span>{sayCount(count, "1 reply", "{count} replies")}</span>}
      {status ? <span class="thread-status">{status}</span>
        : message.latest_reply && <small>{say("last at {time}", { time: clockTime(message.latest_reply) })}</small>}
    </button>
  );
}

/** What can be done with a message; it shows when one points at the message or is inside it. */
function Toolbar({ message, channel, me, app, inThread, onThread, onHold, onEdit }: Props & { onHold: (on: boolean) => void; onEdit: () => void }) {
  const { perform, tell } = useActing();
  const isMine = message.user === me;
  const shortcut = async (callback_id: string, name: string) => {
    const outcome = await perform<Outcome>("shortcut", { callback_id, channel, ts: message.ts });
    if (outcome && !outcome.ok) tell(say("“{name}” failed: the app did not answer in time.", { name }));
  };
  const items: MenuItem[] = app.message_shortcuts.map((s) => ({
    label: s.name, detail: s.description, icon: <Icon name="spark" />, onPick: () => void shortcut(s.callback_id, s.name),
  }));
  if (isMine) {
    items.push({ label: say("Edit message"), icon: <Icon name="edit" />, onPick: onEdit });
    items.push({ label: say("Delete message"), icon: <Icon name="trash" />, danger: true, onPick: () => void perform("delete", { channel, ts: message.ts }) });
  }
  const reactions: MenuItem[] = Object.entries(REACTIONS).map(([name, called]) => ({
    label: called(), icon: <span aria-hidden="true">{EMOJI[name]}</span>, onPick: () => void perform("react", { channel, ts: message.ts, name }),
  }));
  return (
    <div class="toolbar" role="toolbar" aria-label={say("Message actions")}>
      {!message.is_ephemeral && <MenuButton label={say("Add a reaction")} items={reactions} onToggle={onHold}><Icon name="smile" /></MenuButton>}
      {!inThread && !message.is_ephemeral && (
        <button type="button" class="icon-button" aria-label={say("Reply in thread")} title={say("Reply in thread")} onClick={() => onThread?.(message.ts)}>
          <Icon name="thread" />
        </button>
      )}
      {items.length > 0 && <MenuButton label={say("More actions")} heading={say("Message shortcuts")} items={items} onToggle={onHold}><Icon name="more" /></MenuButton>}
    </div>
  );
}

function EditBox({ message, channel, onDone }: { message: Message; channel: string; onDone: () => void }) {
  const { perform } = useActing();
  const names = useContext(Directory);
  const box = useRef<HTMLTextAreaElement>(null);
  const [text, setText] = useState(() => editable(message.text, names.people));
  const save = async () => {
    if (text.trim() && (await perform("edit", { channel, ts: message.ts, text: typedMentions(text, names.people, names.channels) }))) onDone();
  };
  return (
    <form class="edit-box" onSubmit={(event) => { event.preventDefault(); void save(); }}>
      <textarea ref={box} class="field" rows={3} aria-label={say("Edit message")} value={text} autofocus
        onInput={(event) => setText(event.currentTarget.value)}
        onKeyDown={(event) => {
          if (event.key === "Escape") onDone();
          if (event.key === "Enter" && !event.shiftKey) { event.preventDefault(); void save(); }
        }} />
      <div class="row">
        <button type="button" class="button button-small" onClick={onDone}>{say("Cancel")}</button>
        <button type="submit" class="button button-small button-primary">{say("Save")}</button>
      </div>
    </form>
  );
}

type Named = { id: string; name: string };

/** `@name` and `#name`, as one types them, become Slack's own way to say them. */
export function typedMentions(text: string, people: Named[], channels: Named[]): string {
  const swap = (list: Named[], before: string, after: (id: string) => string) => (name: string, word: string) => {
    const known = list.find((one) => one.name && one.name.toLowerCase() === word.toLowerCase());
    return known ? after(known.id) : `${before}${name.slice(1)}`;
  };
  return text
    .replace(/(?<![\w<])@([\w.-]+)/g, (whole, word: string) => swap(people, "@", (id) => `<@${id}>`)(whole, word))
    .replace(/(?<![\w<&])#([\w-]+)/g, (whole, word: string) => swap(channels, "#", (id) => `<#${id}>`)(whole, word))
    .replace(/(?<![\w<])@(here|channel|everyone)\b/g, "<!$1>");
}

/** A message's text as its writer typed it. */
function editable(text: string, people: Named[]): string {
  return text
    .replace(/<@(\w+)(\|[^>]*)?>/g, (whole, id: string) => { const who = people.find((p) => p.id === id); return who ? `@${who.name}` : whole; })
    .replace(/<!(\w+)>/g, "@$1").replace(/&lt;/g, "<").replace(/&gt;/g, ">").replace(/&amp;/g, "&");
}

/** What a screen reader says when a message comes in. */
export const spoken = (message: Message): string => withEmoji(message.text.replace(/<[^>]*\|([^>]*)>/g, "$1").replace(/[<>*_`]/g, "")).slice(0, 300);
