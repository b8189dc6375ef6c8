// What the server says is so, for one person. It changes in one place only: `apply`, a pure function of a change.
import type { Channel, Command, Message, Person, Prompts, Session, Shortcut, Status, View } from "../slack";

export interface World {
  version: number;
  me: string;
  team: { id: string; name: string; domain: string };
  bot: { user_id: string; name: string; dm: string };
  act_as: { id: string; role: string }[];
  people: Person[];
  channels: Channel[];
  messages: Record<string, Message[]>;
  ephemerals: Record<string, Message[]>;
  views: View[];
  home: View | null;
  statuses: Record<string, Status>;
  prompts: Record<string, Prompts>;
  sessions: Record<string, Session>;
  read: Record<string, string>;
  app: {
    commands: Command[];
    message_shortcuts: Shortcut[];
    global_shortcuts: Shortcut[];
    home_tab: boolean;
    messages_tab: boolean;
    can_stop: boolean;
    suggested_prompts?: { title: string; message: string }[];
  };
}

export type Change =
  | { type: "message"; channel: string; message: Message }
  | { type: "stream"; channel: string; ts: string; append: string }
  | { type: "message_deleted"; channel: string; ts: string }
  | { type: "ephemeral"; channel: string; message: Message }
  | { type: "ephemeral_deleted"; channel: string; ts: string }
  | { type: "channel"; channel: Channel; messages?: Message[] }
  | { type: "channel_gone"; channel: string }
  | { type: "person"; person: Person }
  | { type: "views"; views: View[] }
  | { type: "home"; view: View | null }
  | { type: "status"; channel: string; thread_ts: string; status: Status | null }
  | { type: "prompts"; channel: string; prompts: Prompts | null }
  | { type: "session"; channel: string; thread_ts: string; session: Session }
  | { type: "read"; channel: string; ts: string };

export function apply(world: World, change: Change): World {
  switch (change.type) {
    case "message":
      return inChannel(world, "messages", change.channel, (list) => upsert(list, change.message));
    case "stream":
      return inChannel(world, "messages", change.channel, (list) =>
        list.map((m) => (m.ts === change.ts ? { ...m, text: m.text + change.append } : m)));
    case "message_deleted":
      return inChannel(world, "messages", change.channel, (list) => list.filter((m) => m.ts !== change.ts));
    case "ephemeral":
      return inChannel(world, "ephemerals", change.channel, (list) => upsert(list, { ...change.message, is_ephemeral: true }));
    case "ephemeral_deleted":
      return inChannel(world, "ephemerals", change.channel, (list) => list.filter((m) => m.ts !== change.ts));
    case "channel": {
      const channels = [...world.channels.filter((c) => c.id !== change.channel.id), change.channel];
      const messages = change.messages ? { ...world.messages, [change.channel.id]: change.messages } : world.messages;
      return { ...world, channels, messages };
    }
    case "channel_gone": {
      const { [change.channel]: _gone, ...messages } = world.messages;
      return { ...world, channels: world.channels.filter((c) => c.id !== change.channel), messages };
    }
    case "person":
      return { ...world, people: [...world.people.filter((p) => p.id !== change.person.id), change.person] };
    case "views":
      return { ...world, views: change.views };
    case "home":
      return { ...world, home: change.view };
    case "status":
      return { ...world, statuses: put(world.statuses, `${change.channel}/${change.thread_ts}`, change.status) };
    case "prompts":
      return { ...world, prompts: put(world.prompts, change.channel, change.prompts) };
    case "session":
      return { ...world, sessions: put(world.sessions, `${change.channel}/${change.thread_ts}`, change.session) };
    case "read":
      return { ...world, read: { ...world.read, [change.channel]: change.ts } };
    default:
      return world;
  }
}

function inChannel(
  world: World, kind: "messages" | "ephemerals", channel: string, change: (list: Message[]) => Message[],
): World {
  return { ...world, [kind]: { ...world[kind], [channel]: change(world[kind][channel] ?? []) } };
}

function upsert(list: Message[], message: Message): Message[] {
  const at = list.findIndex((m) => m.ts === message.ts);
  if (at >= 0) return list.with(at, message);
  return [...list, message].sort((a, b) => (a.ts < b.ts ? -1 : 1));
}

function put<T>(table: Record<string, T>, key: string, value: T | null): Record<string, T> {
  const { [key]: _before, ...rest } = table;
  return value === null ? rest : { ...rest, [key]: value };
}

// --- small questions ----------------------------------------------------------------------------------------

const isRoot = (m: Message) => (m.thread_ts ?? m.ts) === m.ts;

/** A channel's top level as this person sees it: roots, and what only they see, in order. */
export function timeline(world: World, channel: string): Message[] {
  const roots = (world.messages[channel] ?? []).filter(isRoot);
  const mine = (world.ephemerals[channel] ?? []).filter(isRoot);
  return mine.length ? [...roots, ...mine].sort((a, b) => (a.ts < b.ts ? -1 : 1)) : roots;
}

/** A thread with its root, in order. */
export function thread(world: World, channel: string, root: string): Message[] {
  const all = [...(world.messages[channel] ?? []), ...(world.ephemerals[channel] ?? [])];
  return all.filter((m) => m.ts === root || m.thread_ts === root).sort((a, b) => (a.ts < b.ts ? -1 : 1));
}

/** Messages by others since this person last read the channel, and whether one of them names them. */
export function unread(world: World, channel: string): { count: number; named: boolean } {
  const since = world.read[channel] ?? "";
  const fresh = (world.messages[channel] ?? []).filter((m) => m.ts > since && m.user !== world.me && !m.subtype);
  return { count: fresh.length, named: fresh.some((m) => m.text.includes(`<@${world.me}>`)) };
}

export const newestTs = (world: World, channel: string): string | undefined => world.messages[channel]?.at(-1)?.ts;
