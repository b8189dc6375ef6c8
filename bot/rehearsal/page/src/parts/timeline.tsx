// A list of messages, newest at the bottom. It stays at the bottom while one is there, and says what is new.
// For the keyboard it is one stop: arrows walk from message to message, Tab goes into the one that is focused.
import { useEffect, useLayoutEffect, useRef } from "preact/hooks";
import type { Message } from "../slack";
import type { World } from "../state/world";
import { rove } from "../ui/roving";
import { MessageRow } from "./message";
import { dayOf } from "./when";
import { say } from "../words";

interface Props {
  world: World;
  channel: string;
  messages: Message[];
  label: string;
  inThread?: boolean;
  /** Read up to here when it was opened. */
  readUpTo?: string;
  target?: string;
  onThread?: (root: string) => void;
  children?: preact.ComponentChildren;
}

const NEAR_PX = 120;
const FOLLOW_SECONDS = 300;

export function Timeline({ world, channel, messages, label, inThread = false, readUpTo, target, onThread, children }: Props) {
  const scroll = useRef<HTMLDivElement>(null);
  const stick = useRef(true);

  useLayoutEffect(() => {
    const box = scroll.current!;
    if (stick.current && !target) box.scrollTop = box.scrollHeight;
  }, [messages]);

  useEffect(() => {
    if (!target) return;
    const row = scroll.current?.querySelector<HTMLElement>(`[data-ts="${target}"]`);
    row?.scrollIntoView({ block: "center" });
    row?.focus();
  }, [target, channel]);

  // Tab comes to the newest message, unless one has walked elsewhere.
  useEffect(() => {
    const rows = scroll.current?.querySelectorAll<HTMLElement>("[data-ts]");
    if (rows?.length && !scroll.current!.querySelector("[data-ts][tabindex='0']")) rows[rows.length - 1]!.tabIndex = 0;
  }, [messages]);

  const onKeyDown = (event: KeyboardEvent) => {
    const row = event.target as HTMLElement;
    if (!row.matches("[data-ts]")) return;
    if (rove(event, "[data-ts]", { wrap: false })) return;
    if (event.key === "Enter" && onThread) { event.preventDefault(); onThread(row.dataset.ts!); }
  };

  return (
    <div class="timeline" ref={scroll} role="region" aria-label={label} onKeyDown={onKeyDown}
      onScroll={() => { const box = scroll.current!; stick.current = box.scrollHeight - box.scrollTop - box.clientHeight < NEAR_PX; }}>
      <div class="timeline-inner">
        {children}
        {messages.map((message, n) => {
          const before = messages[n - 1];
          const newDay = !inThread && (!before || dayOf(before.ts) !== dayOf(message.ts));
          const isFirstNew = readUpTo !== undefined && message.ts > readUpTo && (!before || before.ts <= readUpTo) && message.user !== world.me;
          const follows = !newDay && !isFirstNew && before?.user === message.user && !before.is_ephemeral === !message.is_ephemeral
            && Number(message.ts) - Number(before.ts) < FOLLOW_SECONDS && !before.subtype && !before.reply_count;
          return (
            <div key={message.ts}>
              {newDay && <div class="day" role="separator" aria-label={dayOf(message.ts)}><span>{dayOf(message.ts)}</span></div>}
              {isFirstNew && <div class="fresh" role="separator" aria-label={say("New messages")}><span>{say("New")}</span></div>}
              <MessageRow message={message} channel={channel} me={world.me} app={world.app} follows={Boolean(follows)} inThread={inThread}
                isTarget={message.ts === target} onThread={onThread} status={inThread ? undefined : statusText(world, channel, message.ts)} />
            </div>
          );
        })}
        <StatusLine world={world} channel={channel} thread={inThread ? messages[0]?.ts : undefined} />
      </div>
    </div>
  );
}

export function statusText(world: World, channel: string, thread: string): string | undefined {
  const status = world.statuses[`${channel}/${thread}`];
  return status && status.until * 1000 > Date.now() ? status.status : undefined;
}

/** "Huisstijl is reading 4 examples…" */
function StatusLine({ world, channel, thread }: { world: World; channel: string; thread: string | undefined }) {
  const status = thread && statusText(world, channel, thread);
  return (
    <p class="status-line" role="status">
      {status && <><span class="dots" aria-hidden="true"><i /><i /><i /></span> Huisstijl {status}</>}
    </p>
  );
}
