// Names of people and channels in running text.
import { useContext } from "preact/hooks";
import { Directory } from "../state/directory";

export function UserName({ id }: { id: string }) {
  const { userName, me } = useContext(Directory);
  return <span class={id === me ? "mention mention-me" : "mention"}>@{userName(id)}</span>;
}

export function ChannelName({ id, label }: { id: string; label?: string }) {
  const { channelName } = useContext(Directory);
  return <span class="mention">#{channelName(id) ?? label ?? id}</span>;
}
