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
    <nav class="sidebar" aria-label="Workspace" onKeyDown={(event) => void rove(event, ".channel", { wrap: false })}>
      <header class="workspace">
        <span class="mark" aria-hidden="true"><Icon name="spark" size={20} /></span>
        <span><strong>{world.team.name}</strong><small>on this machine</small></span>
      </header>
      <div class="sidebar-scroll">
        <h2 class="sidebar-heading" id="nav-app">App</h2>
        <ul aria-labelledby="nav-app">
          <Row world={world} id={world.bot.dm} label="Huisstijl" icon={<Avatar id={world.bot.user_id} size={20} />} current={current} onOpen={onOpen} />
        </ul>
        <h2 class="sidebar-heading" id="nav-channels">Channels</h2>
        <ul aria-labelledby="nav-channels">
          {channels.map((c) => (
            <Row key={c.id} world={world} id={c.id} label={c.name} icon={<Icon name={iconOf(c)} size={16} />} kind={kindOf(c)} current={current} onOpen={onOpen} />
          ))}
        </ul>
        {joinable.length > 0 && (
          <>
            <h2 class="sidebar-heading" id="nav-join">Not joined</h2>
            <ul aria-labelledby="nav-join">
              {joinable.map((c) => (
                <li key={c.id}>
                  <button type="button" class="channel is-quiet" tabIndex={-1} onClick={() => void join(c.id)} aria-label={`Join ${c.name}`}>
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
const kindOf = (c: Channel) => (c.kind === "group" ? "private channel" : c.is_ext_shared ? "shared channel" : "channel");

interface RowProps { world: World; id: string; label: string; icon: preact.ComponentChild; kind?: string; current: string; onOpen: (id: string) => void }

function Row({ world, id, label, icon, kind = "direct message", current, onOpen }: RowProps) {
  const { count, named } = unread(world, id);
  const isCurrent = id === current;
  const fresh = count > 0 && !isCurrent;
  const news = fresh ? `, ${count} unread${named ? ", you are mentioned" : ""}` : "";
  return (
    <li>
      <button type="button" class={`channel${isCurrent ? " is-current" : ""}${fresh ? " is-unread" : ""}`} tabIndex={isCurrent ? 0 : -1}
        aria-current={isCurrent ? "page" : undefined} aria-label={`${label}, ${kind}${news}`} data-channel={id} onClick={() => onOpen(id)}>
        {icon} <span class="channel-name">{label}</span>
        {kind === "shared channel" && <span class="badge">Shared</span>}
        {fresh && <span class={`count${named ? " is-named" : ""}`}>{count > 99 ? "99+" : count}</span>}
      </button>
    </li>
  );
}

const ROLES: Record<string, [role: string, what: string]> = {
  member: ["Member", "teaches, asks for drafts, keeps them"],
  reviewer: ["Reviewer", "approves, edits and rejects examples"],
  admin: ["Admin", "styles, training, promotion, rollback"],
  guest: ["Guest", "may look, and change nothing"],
  private_member: ["Private channel only", "sees one private channel"],
  stranger: ["Partner", "of another company, in a shared channel"],
};

function Persona({ world, onPerson }: { world: World; onPerson: (id: string) => void }) {
  const { userName } = useContext(Directory);
  const role = world.act_as.find((one) => one.id === world.me)?.role ?? "member";
  const items = world.act_as.map((one) => {
    const [name, what] = ROLES[one.role] ?? [one.role, ""];
    return { label: userName(one.id), detail: `${name}: ${what}`, icon: <Avatar id={one.id} size={28} />, checked: one.id === world.me, onPick: () => onPerson(one.id) };
  });
  return (
    <div class="persona">
      <MenuButton label={`Act as: ${userName(world.me)}`} heading="Act as" items={items} className="persona-button" align="start">
        <Avatar id={world.me} size={32} />
        <span class="persona-words"><small>Acting as</small><strong>{userName(world.me)}</strong></span>
        <span class="badge">{ROLES[role]?.[0] ?? role}</span>
        <Icon name="chevron" size={14} />
      </MenuButton>
    </div>
  );
}
