// The left side: the workspace, its channels and the app, and who one acts as.
import { useContext } from "preact/hooks";
import type { Channel } from "../slack";
import { useActing } from "../state/acting";
import { Directory } from "../state/directory";
import { unread, type World } from "../state/world";
import { Avatar } from "../ui/avatar";
import { Icon, type IconName } from "../ui/icons";
import { MenuButton } from "../ui/menu";
import { rove } from "../ui/roving";
import { listed, say, sentence, type Sentence } from "../words";

interface Props {
  world: World;
  current: string;
  onOpen: (channel: string) => void;
  onPerson: (id: string) => void;
}

export function Sidebar({ world, current, onOpen, onPerson }: Props) {
  const { perform } = useActing();
  const mine = world.channels.filter((c) => c.is_member && !c.is_archived);
  const named = (a: Channel, b: Channel) => a.name.localeCompare(b.name);
  const channels = mine.filter((c) => c.kind === "channel" || c.kind === "group").sort(named);
  const joinable = world.channels.filter((c) => c.kind === "channel" && !c.is_member && !c.is_archived).sort(named);
  const join = async (id: string) => {
    if ((await perform("join", { channel: id })) !== undefined) onOpen(id);
  };
  return (
    <nav class="sidebar" aria-label={say("Workspace")} onKeyDown={(event) => void rove(event, ".channel", { wrap: false })}>
      <header class="workspace">
        <span class="mark" aria-hidden="true"><Icon name="spark" size={20} /></span>
        <span><strong>{world.team.name}</strong><small>{say("on this machine")}</small></span>
      </header>
      <div class="sidebar-scroll">
        <h2 class="sidebar-heading" id="nav-app">{say("App")}</h2>
        <ul aria-labelledby="nav-app">
          <Row world={world} id={world.bot.dm} label="Huisstijl" icon={<Avatar id={world.bot.user_id} size={20} />} kind={say("direct message")} current={current} onOpen={onOpen} />
        </ul>
        <h2 class="sidebar-heading" id="nav-channels">{say("Channels")}</h2>
        <ul aria-labelledby="nav-channels">
          {channels.map((c) => (
            <Row key={c.id} world={world} id={c.id} label={c.name} icon={<Icon name={iconOf(c)} size={16} />} kind={kindOf(c)} isShared={c.kind === "channel" && c.is_ext_shared} current={current} onOpen={onOpen} />
          ))}
        </ul>
        {joinable.length > 0 && (
          <>
            <h2 class="sidebar-heading" id="nav-join">{say("Not joined")}</h2>
            <ul aria-labelledby="nav-join">
              {joinable.map((c) => (
                <li key={c.id}>
                  <button type="button" class="channel is-quiet" tabIndex={-1} onClick={() => void join(c.id)} aria-label={say("Join {channel}", { channel: c.name })}>
                    <Icon name="plus" size={16} /> <span class="channel-name">{c.name}</span>
                  </button>
                </li>
              ))}
            </ul>
          </>
        )}
      </div>
      <Persona world={world} onPerson={onPerson} />
    </nav>
  );
}

const iconOf = (c: Channel): IconName => (c.kind === "group" ? "lock" : "hash");
const kindOf = (c: Channel) => (c.kind === "group" ? say("private channel") : c.is_ext_shared ? say("shared channel") : say("channel"));

interface RowProps { world: World; id: string; label: string; icon: preact.ComponentChild; kind: string; isShared?: boolean; current: string; onOpen: (id: string) => void }

function Row({ world, id, label, icon, kind, isShared, current, onOpen }: RowProps) {
  const { count, named } = unread(world, id);
  const isCurrent = id === current;
  const fresh = count > 0 && !isCurrent;
  const unreadCount = fresh && say("{count} unread", { count });
  return (
    <li>
      <button type="button" class={`channel${isCurrent ? " is-current" : ""}${fresh ? " is-unread" : ""}`} tabIndex={isCurrent ? 0 : -1}
        aria-current={isCurrent ? "page" : undefined} aria-label={listed(label, kind, unreadCount, fresh && named && say("you are mentioned"))} data-channel={id} onClick={() => onOpen(id)}>
        {icon} <span class="channel-name">{label}</span>
        {isShared && <span class="badge">{say("Shared")}</span>}
        {fresh && <span class={`count${named ? " is-named" : ""}`}>{count > 99 ? "99+" : count}</span>}
      </button>
    </li>
  );
}

const ROLES: Record<string, [role: Sentence, what: Sentence]> = {
  member: [sentence("Member"), sentence("Member: teaches, asks for drafts, keeps them")],
  reviewer: [sentence("Reviewer"), sentence("Reviewer: approves, edits and rejects examples")],
  admin: [sentence("Admin"), sentence("Admin: styles, training, promotion, rollback")],
  guest: [sentence("Guest"), sentence("Guest: may look, and change nothing")],
  private_member: [sentence("Private channel only"), sentence("Private channel only: sees one private channel")],
  stranger: [sentence("Partner"), sentence("Partner: of another company, in a shared channel")],
};

function Persona({ world, onPerson }: { world: World; onPerson: (id: string) => void }) {
  const { userName } = useContext(Directory);
  const role = world.act_as.find((one) => one.id === world.me)?.role ?? "member";
  const items = world.act_as.map((one) => {
    return { label: userName(one.id), detail: ROLES[one.role]?.[1](), icon: <Avatar id={one.id} size={28} />, checked: one.id === world.me, onPick: () => onPerson(one.id) };
  });
  return (
    <div class="persona">
      <MenuButton label={say("Act as: {name}", { name: userName(world.me) })} heading={say("Act as")} items={items} className="persona-button" align="start">
        <Avatar id={world.me} size={32} />
        <span class="persona-words"><small>{say("Acting as")}</small><strong>{userName(world.me)}</strong></span>
        <span class="badge">{ROLES[role]?.[0]() ?? role}</span>
        <Icon name="chevron" size={14} />
      </MenuButton>
    </div>
  );
}
