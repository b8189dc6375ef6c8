// The page: who one acts as, what the server says is so for them, and the four places it is shown in.
import { render } from "preact";
import { useCallback, useEffect, useMemo, useRef, useState } from "preact/hooks";
import { Announcer } from "./parts/announcer";
import { ChannelView } from "./parts/channel";
import { Inspector } from "./parts/inspector";
import { ModalStack } from "./parts/modal";
import { Sidebar } from "./parts/sidebar";
import { ThemeSwitch } from "./parts/theme";
import { ThreadPane } from "./parts/thread";
import { act, ActingContext, Refused, type Acting } from "./state/acting";
import { Directory, namesOf } from "./state/directory";
import { useWorld } from "./state/live";
import type { World } from "./state/world";
import { Icon } from "./ui/icons";
import { loadWords, say, speak } from "./words";
import "./style.css";

/** Where one is: a channel, perhaps a thread in it, perhaps one message to look at. A thread that came by itself leaves
 *  the focus where it is: somebody may be writing. */
interface Place { channel: string; thread: string | null; target?: string; cameByItself?: boolean }

const params = new URLSearchParams(location.search);
const FIRST_PERSON = "U0MIA";

function App() {
  const [person, setPerson] = useState(params.get("as") ?? localStorage.getItem("huisstijl.person") ?? FIRST_PERSON);
  const [world, connection] = useWorld(person);
  const switchTo = (id: string) => {
    localStorage.setItem("huisstijl.person", id);
    setPerson(id);
  };
  if (!world) {
    return (
      <main class="waiting">
        <p role="status">{connection === "lost" ? say("The workspace does not answer. Is `huisstijl up` running? Trying again…") : say("Opening the workspace…")}</p>
        {connection === "lost" && person !== FIRST_PERSON && (
          <button type="button" class="button" onClick={() => switchTo(FIRST_PERSON)}>{say("Act as the first person")}</button>
        )}
      </main>
    );
  }
  // Before anything of the page is drawn: what it says is said to whom one acts as.
  const language = speak(world.people.find((one) => one.id === world.me)?.locale ?? "");
  return <Page world={world} language={language} isLost={connection === "lost"} onPerson={switchTo} />;
}

interface PageProps { world: World; language: string; isLost: boolean; onPerson: (id: string) => void }

function Page({ world, language, isLost, onPerson }: PageProps) {
  const [wanted, setPlace] = useState<Place>({
    channel: params.get("channel") ?? "", thread: params.get("thread_ts"), target: params.get("ts") ?? undefined,
  });
  const [isInspecting, setInspecting] = useState(localStorage.getItem("huisstijl.inspect") === "yes");
  const [isNavOpen, setNavOpen] = useState(false);
  const [toast, tell] = useToast();

  const channel = world.channels.find((c) => c.id === wanted.channel && c.is_member) ?? firstChannel(world);
  const isWanted = channel.id === wanted.channel;
  const thread = isWanted ? wanted.thread : null;
  const target = isWanted ? wanted.target : undefined;

  const go = useCallback((place: Place) => {
    setPlace(place);
    setNavOpen(false);
  }, []);
  const openThread = useCallback((root: string) => go({ channel: channel.id, thread: root }), [channel.id, go]);
  const asked = useRef({ channel: "", at: 0 });
  const showThread = useCallback((root: string) => go({ channel: channel.id, thread: root, cameByItself: true }), [channel.id, go]);
  useAnswersToMe(world, channel.id, thread, asked, showThread);

  useEffect(() => localStorage.setItem("huisstijl.inspect", isInspecting ? "yes" : "no"), [isInspecting]);
  useEffect(() => {
    const query = new URLSearchParams({ channel: channel.id, ...(thread && { thread_ts: thread }) });
    history.replaceState(null, "", `/?${query}`);
    document.title = `${channel.name || "Huisstijl"} · ${world.team.name}`;
  }, [channel.id, thread, channel.name]);

  const acting = useMemo<Acting>(() => ({
    tell,
    perform: async <T,>(action: string, args: object) => {
      if (action === "post" || action === "slash") asked.current = { channel: (args as { channel: string }).channel, at: Date.now() };
      try {
        const result = await act<T>(world.me, action, args);
        const outcome = result as { ok?: boolean; error?: string } | null;
        if (action === "slash" && outcome?.ok === false) tell(say("The command failed with the error “{error}”.", { error: outcome.error ?? "" }));
        return result;
      } catch (error) {
        tell(error instanceof Refused ? error.message : say("That did not work."));
        return undefined;
      }
    },
  }), [world.me, tell]);

  const names = useMemo(
    () => namesOf(world, (to, ts, threadTs) => go({ channel: to, thread: threadTs && threadTs !== ts ? threadTs : null, target: ts })),
    [world.people, world.channels, world.me, go],
  );

  const tools = (
    <>
      <ThemeSwitch />
      <button type="button" class={`icon-button${isInspecting ? " is-on" : ""}`} aria-pressed={isInspecting}
        aria-label={say("What happened underneath")} title={say("What happened underneath")} onClick={() => setInspecting(!isInspecting)}>
        <Icon name="layers" />
      </button>
    </>
  );

  return (
    <ActingContext.Provider value={acting}>
      <Directory.Provider value={names}>
        {/* In another language everything is drawn anew, also what else would stay as it is. */}
        <div key={language} class={`page${thread ? " has-thread" : ""}${isInspecting ? " has-inspector" : ""}${isNavOpen ? " nav-open" : ""}`}>
          <button type="button" class="icon-button nav-toggle" aria-label={say("Channels")} aria-expanded={isNavOpen} onClick={() => setNavOpen(!isNavOpen)}><Icon name="menu" /></button>
          <Sidebar world={world} current={channel.id} onOpen={(id) => go({ channel: id, thread: null })} onPerson={onPerson} />
          <ChannelView world={world} channel={channel} target={thread ? undefined : target} onThread={openThread} tools={tools} />
          {thread && <ThreadPane world={world} channel={channel} root={thread} target={target} takesFocus={!wanted.cameByItself} onClose={() => go({ channel: channel.id, thread: null })} />}
          {isInspecting && <Inspector onClose={() => setInspecting(false)} />}
        </div>
        <ModalStack world={world} />
        <Announcer world={world} channel={channel.id} thread={thread} names={names} />
        {isLost && <p class="lost" role="status">{say("The workspace does not answer; trying again…")}</p>}
        <Toast sentence={toast} />
      </Directory.Provider>
    </ActingContext.Provider>
  );
}

const firstChannel = (world: World) =>
  world.channels.find((c) => c.is_member && c.kind === "channel" && !c.is_archived)
  ?? world.channels.find((c) => c.is_member && c.kind === "group")
  ?? world.channels.find((c) => c.id === world.bot.dm)!;

/** A sentence for a moment, above everything: also above a modal. */
function Toast({ sentence }: { sentence: string }) {
  const ref = useRef<HTMLDivElement>(null);
  useEffect(() => {
    if (sentence) ref.current?.showPopover();
    else ref.current?.hidePopover();
  }, [sentence]);
  return <div ref={ref} popover="manual" class="toast" role="alert">{sentence}</div>;
}

const TOAST_MS = 7000;

function useToast(): [string, (sentence: string) => void] {
  const [toast, setToast] = useState("");
  const timer = useRef<number | undefined>(undefined);
  const tell = useCallback((sentence: string) => {
    window.clearTimeout(timer.current);
    setToast(sentence);
    timer.current = window.setTimeout(() => setToast(""), TOAST_MS);
  }, []);
  return [toast, tell];
}

const ASKED_MS = 60_000;

/** When the bot answers in a thread what this person has just asked here, and no thread is open, that thread opens. */
function useAnswersToMe(
  world: World, channel: string, thread: string | null, asked: { current: { channel: string; at: number } }, open: (root: string) => void,
): void {
  const opened = useRef(new Set<string>());
  useEffect(() => {
    const { channel: where, at } = asked.current;
    if (where !== channel || Date.now() - at > ASKED_MS) return;
    const answer = (world.messages[channel] ?? []).find((m) =>
      m.user === world.bot.user_id && m.thread_ts && m.thread_ts !== m.ts && Number(m.thread_ts) * 1000 > at - 500);
    if (!answer || opened.current.has(answer.thread_ts!)) return;
    opened.current.add(answer.thread_ts!);
    if (!thread) open(answer.thread_ts!);
  }, [world.messages[channel], thread]);
}

void loadWords().then(() => render(<App />, document.getElementById("app")!));
