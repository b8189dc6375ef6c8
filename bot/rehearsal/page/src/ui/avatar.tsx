// A person as a coloured tile with initials; the colour follows from the id, so it is the same everywhere.
import { useContext } from "preact/hooks";
import { Directory } from "../state/directory";
import { Icon } from "./icons";

const HUES = 8;

export function Avatar({ id, size = 36 }: { id: string; size?: number }) {
  const { person, userName } = useContext(Directory);
  const style = { width: size, height: size, fontSize: size * 0.38 };
  if (person(id)?.is_bot) {
    return <span class="avatar avatar-bot" style={style} aria-hidden="true"><Icon name="spark" size={size * 0.62} /></span>;
  }
  const hue = [...id].reduce((sum, letter) => sum * 31 + letter.charCodeAt(0), 7) % HUES;
  const initials = userName(id).replace(/\(.*\)/, "").trim().split(/\s+/).map((word) => word[0]!);
  const shown = initials.length > 1 ? initials[0]! + initials.at(-1)! : initials[0];
  return <span class={`avatar hue-${hue}`} style={style} aria-hidden="true">{shown}</span>;
}
