// A thread beside its channel.
import { useContext } from "preact/hooks";
import type { Channel } from "../slack";
import { Directory } from "../state/directory";
import { thread, type World } from "../state/world";
import { Icon } from "../ui/icons";
import { Composer } from "./composer";
import { Timeline } from "./timeline";
import { say } from "../words";

interface Props { world: World; channel: Channel; root: string; target?: string; takesFocus: boolean; onClose: () => void }

export function ThreadPane({ world, channel, root, target, takesFocus, onClose }: Props) {
  const names = useContext(Directory);
  const messages = thread(world, channel.id, root);
  const title = world.sessions[`${channel.id}/${root}`]?.title || say("Thread");
  const where = channel.kind === "im" ? "Huisstijl" : `#${names.channelName(channel.id)}`;
  return (
    <aside class="pane thread" aria-label={say("{title} in {place}", { title, place: where })}
      onKeyDown={(event) => { if (event.key === "Escape" && !event.defaultPrevented) onClose(); }}>
      <header class="bar">
        <h2 class="bar-title">{title}</h2>
        <span class="about">{where}</span>
        <span class="grow" />
        <button type="button" class="icon-button" aria-label={say("Close the thread")} title={say("Close the thread")} onClick={onClose}><Icon name="close" /></button>
      </header>
      <Timeline key={root} world={world} channel={channel.id} messages={messages} label={say("Thread in {place}", { place: where })} inThread target={target} />
      <Composer world={world} channel={channel.id} thread={root} label={say("Reply")} focusKey={takesFocus ? root : undefined} />
    </aside>
  );
}
