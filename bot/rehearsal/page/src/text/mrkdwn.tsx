// Slack's mrkdwn as nodes. Text goes in as text: nothing here ever builds HTML.
//
//   *bold*  _italic_  ~struck~  `code`  ```block```  > quote  <url|label>  <@U…>  <#C…>  <!here>  <!date^…>  :emoji:
import type { ComponentChild } from "preact";
import { withEmoji } from "./emoji";
import { Link } from "./links";
import { ChannelName, UserName } from "./people";
import { locale } from "../words";

const unescape = (text: string) => text.replace(/&lt;/g, "<").replace(/&gt;/g, ">").replace(/&amp;/g, "&");

export function Mrkdwn({ text }: { text: string }) {
  return <>{blocks(text)}</>;
}

function blocks(text: string): ComponentChild[] {
  return text.split(/```\n?([\s\S]+?)\n?```/g).flatMap((part, n): ComponentChild[] => {
    if (n % 2) return [<pre key={n}><code>{unescape(part)}</code></pre>];
    return part ? quotes(part, n) : [];
  });
}

/** Runs of lines that begin with > become one quotation; the rest stays running text. */
function quotes(text: string, key: number): ComponentChild[] {
  const runs: { quoted: boolean; lines: string[] }[] = [];
  for (const line of text.split("\n")) {
    const quoted = /^(&gt;|>)\s?/.test(line);
    const inside = quoted ? line.replace(/^(&gt;|>)\s?/, "") : line;
    const last = runs.at(-1);
    if (last?.quoted === quoted) last.lines.push(inside);
    else runs.push({ quoted, lines: [inside] });
  }
  return runs.map(({ quoted, lines }, n) =>
    quoted ? <blockquote key={`${key}-${n}`}>{inline(lines.join("\n"))}</blockquote>
      : <span key={`${key}-${n}`} class="run">{inline(lines.join("\n"))}</span>,
  );
}

const TOKEN = /(<[^<>\n]+>)|`([^`\n]+)`|(?<![\w*])\*(\S(?:[^*\n]*\S)?)\*(?![\w*])|(?<![\w_])_(\S(?:[^_\n]*\S)?)_(?![\w_])|(?<![\w~])~(\S(?:[^~\n]*\S)?)~(?![\w~])/g;

function inline(text: string): ComponentChild[] {
  const found: ComponentChild[] = [];
  let from = 0;
  for (const match of text.matchAll(TOKEN)) {
    const [whole, angle, code, bold, italic, struck] = match;
    found.push(plain(text.slice(from, match.index)));
    if (angle) found.push(special(angle.slice(1, -1)));
    else if (code) found.push(<code>{unescape(code)}</code>);
    else if (bold) found.push(<strong>{inline(bold)}</strong>);
    else if (italic) found.push(<em>{inline(italic)}</em>);
    else if (struck) found.push(<s>{inline(struck)}</s>);
    from = match.index + whole.length;
  }
  found.push(plain(text.slice(from)));
  return found;
}

const plain = (text: string) => withEmoji(unescape(text));

/** What stands between < and >: a mention, a date, or a link. */
function special(inside: string): ComponentChild {
  const [target = "", label] = inside.split(/\|(.*)/s);
  if (target.startsWith("@")) return <UserName id={target.slice(1)} />;
  if (target.startsWith("#")) return <ChannelName id={target.slice(1)} label={label} />;
  if (target.startsWith("!date^")) return <When spec={target} fallback={label ?? ""} />;
  if (target.startsWith("!")) return <span class="mention">@{label ?? target.slice(1).split("^")[0]}</span>;
  return <Link url={unescape(target)}>{label === undefined ? undefined : plain(label)}</Link>;
}

function When({ spec, fallback }: { spec: string; fallback: string }) {
  const [, seconds, format = ""] = spec.split("^");
  const at = new Date(Number(seconds) * 1000);
  if (Number.isNaN(at.getTime())) return <>{unescape(fallback)}</>;
  const date = at.toLocaleDateString(locale(), { day: "numeric", month: "short", year: "numeric" });
  const time = at.toLocaleTimeString(locale(), { hour: "2-digit", minute: "2-digit" });
  const said = format.replace(/\{date[a-z_]*\}/g, date).replace(/\{time[a-z_]*\}/g, time) || date;
  return <time dateTime={at.toISOString()}>{said}</time>;
}
