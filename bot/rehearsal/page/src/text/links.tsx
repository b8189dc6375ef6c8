// Every link on the page is made here: only http, https and mailto ever become one.
// A permalink of this workspace goes to its message without leaving the page.
import type { ComponentChildren } from "preact";
import { useContext } from "preact/hooks";
import { Directory } from "../state/directory";

const SAFE = ["http:", "https:", "mailto:"];

function parse(url: string): URL | null {
  try {
    const parsed = new URL(url);
    return SAFE.includes(parsed.protocol) ? parsed : null;
  } catch {
    return null;
  }
}

export function Link({ url, children }: { url: string; children?: ComponentChildren }) {
  const { goTo } = useContext(Directory);
  const label = children ?? url;
  const parsed = parse(url);
  if (!parsed) return <span class="dead-link">{label}</span>;
  const here = parsed.origin === location.origin && /^\/archives\/(\w+)\/p(\d+)(\d{6})$/.exec(parsed.pathname);
  if (here) {
    const [, channel = "", seconds, micros] = here;
    const go = (event: Event) => {
      event.preventDefault();
      goTo(channel, `${seconds}.${micros}`, parsed.searchParams.get("thread_ts") ?? undefined);
    };
    return <a href={parsed.href} onClick={go}>{label}</a>;
  }
  return <a href={parsed.href} target="_blank" rel="noopener noreferrer">{label}</a>;
}

/** Open what a link button names, under the same rules. */
export function openSafely(url: string): void {
  const parsed = parse(url);
  if (parsed) window.open(parsed.href, "_blank", "noopener,noreferrer");
}
