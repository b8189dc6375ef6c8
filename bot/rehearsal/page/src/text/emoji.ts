// Slack writes emoji as :names:. These are the ones that people and the bot use here; others stay as they are written.
import { sentence, type Sentence } from "../words";

export const EMOJI: Record<string, string> = {
  "+1": "👍", thumbsup: "👍", "-1": "👎", thumbsdown: "👎", heart: "❤️", tada: "🎉", eyes: "👀", star: "⭐",
  fire: "🔥", rocket: "🚀", white_check_mark: "✅", heavy_check_mark: "✔️", x: "❌", warning: "⚠️", pray: "🙏",
  clap: "👏", smile: "😄", slightly_smiling_face: "🙂", wave: "👋", thinking_face: "🤔", bulb: "💡", memo: "📝",
  pencil2: "✏️", lock: "🔒", bell: "🔔", hourglass: "⌛", hourglass_flowing_sand: "⏳", chart_with_upwards_trend: "📈",
  trophy: "🏆", seedling: "🌱", sparkles: "✨", robot_face: "🤖", books: "📚", arrow_right: "➡️", point_right: "👉",
  no_entry: "⛔", information_source: "ℹ️", question: "❓", point_up: "☝️", ok_hand: "👌", raised_hands: "🙌",
};

/** What people can add with two clicks. */
export const REACTIONS: Record<string, Sentence> = {
  "+1": sentence("thumbs up"), heart: sentence("heart"), tada: sentence("hooray"), eyes: sentence("eyes"),
  star: sentence("star"), white_check_mark: sentence("check mark"),
};

export const withEmoji = (text: string): string =>
  text.replace(/:([a-z0-9_+-]+):/g, (whole, name: string) => EMOJI[name] ?? whole);
