// Where blocks stand (a message, a modal, the Home tab) and so what a click in them means.
import { createContext } from "preact";
import { useContext, useState } from "preact/hooks";
import type { Choice } from "../ui/picker";
import type { Block, Element, Option, OptionGroup } from "../slack";
import type { Outcome } from "../state/acting";

export interface Click { action_id: string; block_id: string; value?: unknown; selected?: unknown }

export interface Surface {
  /** Unique on the page: ids of labels and errors start with it. */
  id: string;
  /** How deep a header block stands in the page's outline. */
  headingLevel?: number;
  send: (click: Click) => Promise<Outcome | undefined>;
  /** What the app answers to what was typed into an external select. */
  ask: (question: { action_id: string; block_id: string; value: string }) => Promise<Choice[]>;
  pictureUrl: (fileId: string) => string;
  /** The values of a form, by `keyOf`; absent on a message. */
  form?: { values: Record<string, unknown>; set: (key: string, value: unknown) => void; errors: Record<string, string> };
}

export const SurfaceContext = createContext<Surface>({
  id: "", send: async () => undefined, ask: async () => [], pictureUrl: () => "",
});
export const useSurface = () => useContext(SurfaceContext);

/** An input is known by its block; an element beside others in a block by its action. */
export const keyOf = (block: Block, element: Element): string =>
  (block.type === "input" ? block.block_id : element.action_id) ?? "";

/** An element's value here: in the form where there is one, otherwise kept by the element itself. */
export function useValue<T>(block: Block, element: Element, initial: T): [T, (value: T) => void] {
  const { form } = useSurface();
  const [own, setOwn] = useState<T>(initial);
  if (!form) return [own, setOwn];
  const key = keyOf(block, element);
  return [key in form.values ? (form.values[key] as T) : initial, (value) => form.set(key, value)];
}

/** Whether a change is told at once: everywhere but in an input block that did not ask for it. */
export const tellsAtOnce = (block: Block): boolean => block.type !== "input" || block.dispatch_action === true;

export const toChoice = (option: Option, group?: string): Choice => ({
  value: option.value, label: option.text.text, detail: option.description?.text, group,
});

export const choicesOf = (of: { options?: Option[]; option_groups?: OptionGroup[] }): Choice[] => [
  ...(of.options ?? []).map((o) => toChoice(o)),
  ...(of.option_groups ?? []).flatMap((g) => g.options.map((o) => toChoice(o, g.label.text))),
];
