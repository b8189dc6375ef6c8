// A text object, in whichever of its two kinds it comes.
import type { Text } from "../slack";
import { withEmoji } from "./emoji";
import { Mrkdwn } from "./mrkdwn";

export function TextObject({ text }: { text: Text | string | undefined }) {
  if (text === undefined) return null;
  if (typeof text === "string") return <>{text}</>;
  if (text.type === "mrkdwn") return <Mrkdwn text={text.text} />;
  return <>{text.emoji === false ? text.text : withEmoji(text.text)}</>;
}
