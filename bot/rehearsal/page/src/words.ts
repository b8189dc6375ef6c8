// What the page says, in the language of whoever one acts as. A sentence is written once, in English, where it is said;
// its other languages are the bot's own catalogues (bot/texts/<language>/page.po), which the server hands over.

type Value = string | number;
/** A sentence → its translation; one and many of it for what is counted. */
type Catalogue = Record<string, string | string[]>;

type Place<S> = S extends `${string}{${infer Name}}${infer Rest}` ? Name | Place<Rest> : never;
type Given<S, Known = never> = [Exclude<Place<S>, Known>] extends [never] ? [] : [Record<Exclude<Place<S>, Known>, Value>];

/** A text that is kept under a name and said later, when it is known to whom. */
export type Sentence = () => string;

const ENGLISH = "en";
const KEPT = "huisstijl.language";
let catalogues: Record<string, Catalogue> = {};
let words: Catalogue = {};
let spoken = ENGLISH;

/** Fetch every language once. Without an answer the page speaks English; that nothing answers it says elsewhere. */
export async function loadWords(): Promise<void> {
  try {
    catalogues = await (await fetch("/page/words")).json();
  } catch {
    catalogues = {};
  }
  speak(localStorage.getItem(KEPT) ?? navigator.language);
}

/** Speak this locale's language from now on, or English; `<html lang>` says the same. Returns the locale spoken. */
export function speak(locale: string): string {
  const language = locale.split(/[-_]/)[0]!.toLowerCase();
  spoken = language === ENGLISH || language in catalogues ? locale.replace("_", "-") : ENGLISH;
  words = catalogues[language] ?? {};
  document.documentElement.lang = spoken.split("-")[0]!;
  localStorage.setItem(KEPT, spoken);
  return spoken;
}

/** For dates and numbers. */
export const locale = (): string => spoken;

export function say<S extends string>(english: S, ...[values]: Given<S>): string {
  const found = words[english];
  return fill(typeof found === "string" ? found : english, values);
}

/** One of two sentences, by number; `{count}` may stand in both. */
export function sayCount<One extends string, Many extends string>(
  count: number, one: One, many: Many, ...[values]: Given<One | Many, "count">
): string {
  const found = words[one];
  const forms = Array.isArray(found) ? found : [one, many];
  const isOne = new Intl.PluralRules(spoken).select(count) === "one";
  return fill(forms[isOne ? 0 : 1]!, { count, ...(values as object | undefined) });
}

export const sentence = (english: string): Sentence => () => say(english as "");

/** Statements that stand beside one another, each complete in itself. */
export const listed = (...parts: (string | false | undefined)[]): string => parts.filter(Boolean).join(", ");

function fill(text: string, values: Record<string, Value> | undefined): string {
  return text.replace(/\{(\w+)\}/g, (whole, name: string) => {
    const value = values?.[name];
    return typeof value === "number" ? value.toLocaleString(spoken) : value ?? whole;
  });
}
