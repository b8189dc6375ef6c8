// Who and what is called how; every name on the page comes from here.
import { createContext } from "preact";
import type { Channel, Person } from "../slack";
import type { World } from "./world";

export interface Names {
  me: string;
  people: Person[];
  channels: Channel[];
  userName: (id: string) => string;
  person: (id: string) => Person | undefined;
  channelName: (id: string) => string | undefined;
  /** Go to a message: links of this workspace do not leave the page. */
  goTo: (channel: string, ts?: string, threadTs?: string) => void;
}

export const Directory = createContext<Names>({
  me: "", people: [], channels: [], userName: (id) => id, person: () => undefined, channelName: () => undefined, goTo: () => {},
});

export function namesOf(world: World, goTo: Names["goTo"]): Names {
  const people = new Map(world.people.map((p) => [p.id, p]));
  const channels = new Map(world.channels.map((c) => [c.id, c]));
  const userName = (id: string) => {
    const person = people.get(id);
    if (!person) return id;
    return person.is_bot ? "Huisstijl" : person.real_name || person.name;
  };
  const channelName = (id: string) => {
    const channel = channels.get(id);
    if (!channel) return undefined;
    return channel.kind === "im" ? userName(world.bot.user_id) : channel.name;
  };
  return {
    me: world.me, people: world.people, channels: world.channels,
    userName, person: (id) => people.get(id), channelName, goTo,
  };
}
