// Roving focus: a list is one stop for Tab, and the arrow keys move inside it.

/** Move focus among the elements of `selector` inside the event's list. True when the key was one of ours and an element had the focus. */
export function rove(event: KeyboardEvent, selector: string, { horizontal = false, wrap = true } = {}): boolean {
  const [back, on] = horizontal ? ["ArrowLeft", "ArrowRight"] : ["ArrowUp", "ArrowDown"];
  if (![back, on, "Home", "End"].includes(event.key)) return false;
  if (event.defaultPrevented) return false; // it was for a list inside this one, such as a menu that is open over it
  const list = event.currentTarget as HTMLElement;
  const items = [...list.querySelectorAll<HTMLElement>(selector)].filter((item) => !item.hasAttribute("disabled"));
  if (!items.length) return false;
  const at = items.findIndex((item) => item === document.activeElement || item.contains(document.activeElement));
  if (at < 0) return false; // it was for a button beside the list, whose menu may be about to take the focus
  const last = items.length - 1;
  let next = event.key === "Home" ? 0 : event.key === "End" ? last : at + (event.key === on ? 1 : -1);
  if (next < 0) next = wrap ? last : 0;
  if (next > last) next = wrap ? 0 : last;
  event.preventDefault();
  for (const item of items) item.tabIndex = -1;
  items[next]!.tabIndex = 0;
  items[next]!.focus();
  return true;
}
