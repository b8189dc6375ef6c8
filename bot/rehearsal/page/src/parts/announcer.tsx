// What a screen reader is told without being asked: messages that come in, drafts that begin and are done.
import { useEffect, useRef, useState } from "preact/hooks";
import type { Message } from "../slack";
import type { Names } from "../state/directory";
import type { World } from "../state/world";
import { spoken } from "./message";
import { say } from "../words";

export function Announcer({ world, channel, thread, names }: { world: World; channel: string; thread: string | null; names: Names }) {
  const [said, setSaid] = useState("");
  const known = useRef<{ place: string; seen: Map<string, string> }>({ place: "", seen: new Map() });

  useEffect(() => {
    const place = `${world.me}/${channel}/${thread}`;
    const here = [...(world.messages[channel] ?? []), ...(world.ephemerals[channel] ?? [])]
      .filter((m) => (m.thread_ts ?? m.ts) === m.ts || m.thread_ts === thread);
    const seen = new Map(here.map((m) => [m.ts, m.stream ?? ""]));
    const before = known.current;
    known.current = { place, seen };
    // Somewhere new, only what is being written there is news.
    const news = before.place === place
      ? here.map((m) => newsOf(m, before.seen, world.me, names)).filter(Boolean)
      : here.filter((m) => m.stream === "open").map((m) => newsOf(m, new Map(), world.me, names));
    if (news.length) setSaid(news.slice(-3).join("\n"));
  }, [world, channel, thread]);

  return <div class="sr-only" aria-live="polite" data-announcer>{said}</div>;
}

function newsOf(message: Message, seen: Map<string, string>, me: string, names: Names): string {
  const who = names.userName(message.user);
  const before = seen.get(message.ts);
  if (before === undefined && message.user !== me) {
    return message.stream === "open" ? say("{who} is writing a draft", { who }) : say("{who}: {said}", { who, said: spoken(message) });
  }
  if (before === "open" && message.stream !== "open") return say("{who} has finished: {said}", { who, said: spoken(message) });
  return "";
}
