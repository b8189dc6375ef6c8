// The values that a person left in a form, in the shape that the server takes; and the small rules around them.
import type { Choice } from "../ui/picker";
import type { Block, Element } from "../slack";
import { submitted } from "./inputs";
import { keyOf } from "./surface";

/** Only what was touched: an input that is left out keeps its initial value. */
export function collect(blocks: Block[], values: Record<string, unknown>): Record<string, unknown> {
  const found: Record<string, unknown> = {};
  for (const [block, element] of holders(blocks)) {
    const key = keyOf(block, element);
    if (!(key in values)) continue;
    const value = values[key];
    const isSelect = element.type.endsWith("_select");
    found[key] = isSelect ? submitted(value as Choice[], element.type.startsWith("multi_"), element.type.includes("external")) : value;
  }
  return found;
}

/** What was typed stays where its input is still there after an update. */
export function keepKnown(blocks: Block[], values: Record<string, unknown>): Record<string, unknown> {
  const known = new Set(holders(blocks).map(([block, element]) => keyOf(block, element)));
  return Object.fromEntries(Object.entries(values).filter(([key]) => known.has(key)));
}

function holders(blocks: Block[]): [Block, Element][] {
  return blocks.flatMap((block): [Block, Element][] => {
    if (block.type === "input") return [[block, block.element!]];
    const inside = [...(block.type === "actions" ? (block.elements as Element[]) : []), block.accessory];
    return inside.filter((e): e is Element => Boolean(e)).map((e) => [block, e]);
  });
}
