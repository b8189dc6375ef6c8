// The middle: a channel with its messages and composer, or the app with its Home and Messages tabs.
import { useContext, useEffect, useRef, useState } from "preact/hooks";
import type { Channel } from "../slack";
import { useActing } from "../state/acting";
import { Directory } from "../state/directory";
import { newestTs, timeline, type World } from "../state/world";
import { Avatar } from "../ui/avatar";
import { Icon } from "../ui/icons";
import { rove } from "../ui/roving";
import { Composer } from "./composer";
import { HomeTab } from "./home";
import { Timeline } from "./timeline";
import { listed, say, sayCount } from "../words";

interface Props {
  world: World;
  channel: Channel;
  target?: string;
  onThread: (root: string) => void;
  tools: preact.ComponentChildren;
}

export function ChannelView({ world, channel, target, onThread, tools }: Props) {
  const { perform } = useActing();
  const isApp = channel.id === world.bot.dm;
  const [tab, setTab] = useState<"home" | "messages">("messages");
  const readUpTo = useReadMark(world, channel.id);
  const name = isApp ? "Huisstijl" : channel.name;
  const messages = timeline(world, channel.id);

  useEffect(() => { if (target) setTab("messages"); }, [target]);
  useEffect(() => {
    if (isApp) void perform("open_home", { tab });
  }, [isApp, tab, world.me, perform]);

  return (
    <main class="channel-view" aria-label={isApp ? say("Huisstijl, app") : listed(name, channel.kind === "group" ? say("private channel") : say("channel"))}>
      <header class="bar">
        <h1 class="bar-title">
          {isApp ? <Avatar id={world.bot.user_id} size={24} /> : <Icon name={channel.kind === "group" ? "lock" : "hash"} />}
          {name}
        </h1>
        {isApp ? <Tabs tab={tab} onTab={setTab} hasHome={world.app.home_tab} /> : <About channel={channel} world={world} />}
        <span class="grow" />
        {tools}
      </header>
      {isApp && tab === "home" ? <HomeTab world={world} /> : (
        <div class="channel-body" {...(isApp && { role: "tabpanel", id: "panel-messages", "aria-labelledby": "tab-messages" })}>
          <Timeline key={channel.id} world={world} channel={channel.id} messages={messages} label={say("Messages in {place}", { place: name })}
            readUpTo={readUpTo} target={target} onThread={onThread}>
            <Beginning world={world} channel={channel} isApp={isApp} isEmpty={!messages.length} />
          </Timeline>
          <Composer world={world} channel={channel.id} label={isApp ? say("Message Huisstijl") : say("Message #{channel}", { channel: name })} />
        </div>
      )}
    </main>
  );
}

/** Where one had read to when the channel was opened; and what is on the screen counts as read. */
function useReadMark(world: World, channel: string): string | undefined {
  const { perform } = useActing();
  const opened = useRef({ key: "", upTo: undefined as string | undefined });
  const key = `${world.me}/${channel}`;
  if (opened.current.key !== key) opened.current = { key, upTo: world.read[channel] ?? "" };
  const newest = newestTs(world, channel);
  useEffect(() => {
    const mark = () => {
      if (document.visibilityState === "visible" && newest && newest > (world.read[channel] ?? "")) {
        void perform("mark_read", { channel, ts: newest });
      }
    };
    mark();
    document.addEventListener("visibilitychange", mark);
    return () => document.removeEventListener("visibilitychange", mark);
  }, [key, newest]);
  return opened.current.upTo;
}

function Tabs({ tab, onTab, hasHome }: { tab: string; onTab: (tab: "home" | "messages") => void; hasHome: boolean }) {
  const tabs = hasHome ? (["home", "messages"] as const) : (["messages"] as const);
  return (
    <div class="tabs" role="tablist" aria-label="Huisstijl" onKeyDown={(event) => void rove(event, "[role=tab]", { horizontal: true })}>
      {tabs.map((one) => (
        <button key={one} type="button" role="tab" id={`tab-${one}`} aria-selected={tab === one} tabIndex={tab === one ? 0 : -1}
          aria-controls={tab === one ? `panel-${one}` : undefined} class="tab" onClick={() => onTab(one)} onFocus={() => onTab(one)}>
          {one === "home" ? say("Home") : say("Messages")}
        </button>
      ))}
    </div>
  );
}

function About({ channel, world }: { channel: Channel; world: World }) {
  const { perform } = useActing();
  const people = channel.members?.length ?? 0;
  return (
    <>
      <span class="about">
        {[sayCount(people, "1 member", "{count} members"), channel.is_ext_shared && say("shared with another company"), channel.topic].filter(Boolean).join(" · ")}
      </span>
      {channel.members && !channel.members.includes(world.bot.user_id) && (
        <button type="button" class="button button-small" onClick={() => void perform("invite", { channel: channel.id, user: world.bot.user_id })}>
          <Icon name="plus" size={14} /> {say("Invite Huisstijl")}
        </button>
      )}
    </>
  );
}

/** What stands above the first message. */
function Beginning({ world, channel, isApp, isEmpty }: { world: World; channel: Channel; isApp: boolean; isEmpty: boolean }) {
  const names = useContext(Directory);
  if (!isApp) {
    return (
      <div class="beginning">
        <h2>{channel.kind === "group" ? say("A private channel: {name}", { name: channel.name }) : say("A channel for everyone: {name}", { name: channel.name })}</h2>
        <p>{channel.purpose || say("Point at a message and choose “Teach house style”, mention @huisstijl, or type / for a command.")}</p>
      </div>
    );
  }
  return (
    <div class="beginning">
      <h2>{say("Hello {name}, what shall I write?", { name: names.userName(world.me).split(" ")[0]! })}</h2>
      <p>{say("I write drafts in your house style, learnt from examples that your team approved.")}</p>
      {isEmpty && <SuggestedPrompts world={world} />}
    </div>
  );
}

function SuggestedPrompts({ world }: { world: World }) {
  const { perform } = useActing();
  const told = world.prompts[world.bot.dm];
  const prompts = told?.prompts ?? world.app.suggested_prompts ?? [];
  const choose = (message: string) => {
    // A prompt that ends openly waits for its end.
    if (/\s$/.test(message)) window.dispatchEvent(new CustomEvent("huisstijl:compose", { detail: { channel: world.bot.dm, text: message } }));
    else void perform("post", { channel: world.bot.dm, text: message });
  };
  if (!prompts.length) return null;
  return (
    <div class="prompts" role="group" aria-label={told?.title ?? say("Suggested prompts")}>
      {told?.title && <p>{told.title}</p>}
      {prompts.map((prompt) => (
        <button key={prompt.title} type="button" class="prompt" onClick={() => choose(prompt.message)}>
          <Icon name="spark" size={16} /> {prompt.title}
        </button>
      ))}
    </div>
  );
}
