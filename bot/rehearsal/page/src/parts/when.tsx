// Times as people read them.
import { locale, say } from "../words";

const at = (ts: string) => new Date(Number(ts) * 1000);

export const clockTime = (ts: string) => at(ts).toLocaleTimeString(locale(), { hour: "2-digit", minute: "2-digit" });
export const fullTime = (ts: string) => at(ts).toLocaleString(locale(), { dateStyle: "full", timeStyle: "medium" });

export function dayOf(ts: string): string {
  const day = at(ts);
  const today = new Date();
  const yesterday = new Date(today.getTime() - 86_400_000);
  if (day.toDateString() === today.toDateString()) return say("Today");
  if (day.toDateString() === yesterday.toDateString()) return say("Yesterday");
  return day.toLocaleDateString(locale(), { weekday: "long", day: "numeric", month: "long" });
}

export const Time = ({ ts }: { ts: string }) => (
  <time class="time" dateTime={at(ts).toISOString()} title={fullTime(ts)}>{clockTime(ts)}</time>
);
