// rich_text blocks: what Slack's client makes of typed text, and what the bot sends for tables of figures.
import type { ComponentChild } from "preact";
import { EMOJI, withEmoji } from "./emoji";
import { Link } from "./links";
import { ChannelName, UserName } from "./people";

interface Leaf {
  type: string;
  text?: string;
  url?: string;
  user_id?: string;
  channel_id?: string;
  name?: string;
  range?: string;
  usergroup_id?: string;
  fallback?: string;
  style?: { bold?: boolean; italic?: boolean; strike?: boolean; code?: boolean };
}
interface Branch { type: string; elements: (Branch | Leaf)[]; style?: string; indent?: number; offset?: number }

export function RichText({ elements }: { elements: unknown[] }) {
  return <div class="rich-text">{(elements as Branch[]).map(branch)}</div>;
}

function branch(part: Branch, key: number): ComponentChild {
  const inside = part.elements;
  switch (part.type) {
    case "rich_text_preformatted":
      return <pre key={key} tabIndex={0}><code>{(inside as Leaf[]).map((leaf) => leaf.text ?? leaf.url ?? "").join("")}</code></pre>;
    case "rich_text_quote":
      return <blockquote key={key}>{leaves(inside as Leaf[])}</blockquote>;
    case "rich_text_list": {
      const rows = (inside as Branch[]).map((row, n) => <li key={n}>{leaves(row.elements as Leaf[])}</li>);
      const indent = { marginInlineStart: `${(part.indent ?? 0) * 1.5}rem` };
      return part.style === "ordered"
        ? <ol key={key} style={indent} start={(part.offset ?? 0) + 1}>{rows}</ol>
        : <ul key={key} style={indent}>{rows}</ul>;
    }
    default:
      return <p key={key}>{leaves(inside as Leaf[])}</p>;
  }
}

const leaves = (list: Leaf[]) => list.map((leaf, n) => <span key={n}>{styled(leaf, content(leaf))}</span>);

function content(leaf: Leaf): ComponentChild {
  switch (leaf.type) {
    case "text": return withEmoji(leaf.text ?? "");
    case "link": return <Link url={leaf.url ?? ""}>{leaf.text || undefined}</Link>;
    case "user": return <UserName id={leaf.user_id ?? ""} />;
    case "channel": return <ChannelName id={leaf.channel_id ?? ""} />;
    case "emoji": return EMOJI[leaf.name ?? ""] ?? `:${leaf.name}:`;
    case "broadcast": return <span class="mention">@{leaf.range}</span>;
    case "usergroup": return <span class="mention">@{leaf.usergroup_id}</span>;
    default: return leaf.fallback ?? leaf.text ?? "";
  }
}

function styled(leaf: Leaf, node: ComponentChild): ComponentChild {
  const { bold, italic, strike, code } = leaf.style ?? {};
  if (code) node = <code>{node}</code>;
  if (strike) node = <s>{node}</s>;
  if (italic) node = <em>{node}</em>;
  if (bold) node = <strong>{node}</strong>;
  return node;
}
