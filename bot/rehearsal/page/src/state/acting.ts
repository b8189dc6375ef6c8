// What a person does. The effects come back over the live feed; only refusals and answers come back here.
import { createContext } from "preact";
import { useContext } from "preact/hooks";
import { say } from "../words";

export class Refused extends Error {}

export async function act<T = unknown>(as: string, action: string, args: object): Promise<T> {
  let answer: { ok: boolean; error?: string; result?: T };
  try {
    const response = await fetch("/page/act", {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify({ as, action, ...args }),
    });
    answer = await response.json();
  } catch {
    throw new Refused(say("The workspace does not answer. Is `huisstijl up` still running?"));
  }
  if (!answer.ok) throw new Refused(answer.error ?? say("That did not work."));
  return answer.result as T;
}

export interface Acting {
  /** Do it; a refusal is shown and gives undefined. */
  perform: <T = unknown>(action: string, args: object) => Promise<T | undefined>;
  /** Show a sentence for a moment, and let it be read aloud. */
  tell: (sentence: string) => void;
}

export const ActingContext = createContext<Acting>({ perform: async () => undefined, tell: () => {} });
export const useActing = () => useContext(ActingContext);

/** What an interaction that reached the app came to. */
export interface Outcome { ok: boolean; error?: string | null }
