// A small surface beside what opened it: menus, pickers, the persona switch. It is in the browser's top layer, so
// nothing cuts it off; Escape or a click elsewhere closes it, and focus goes back to where it came from.
import type { ComponentChildren, RefObject } from "preact";
import { useEffect, useLayoutEffect, useRef } from "preact/hooks";

interface Props {
  anchor: RefObject<HTMLElement | null>;
  onClose: () => void;
  children: ComponentChildren;
  align?: "start" | "end";
  /** As wide as what opened it, at least. */
  matchWidth?: boolean;
  className?: string;
}

export function Popup({ anchor, onClose, children, align = "start", matchWidth, className = "" }: Props) {
  const ref = useRef<HTMLDivElement>(null);
  const closing = useRef(false);

  useLayoutEffect(() => {
    const popup = ref.current!;
    popup.showPopover();
    place(popup, anchor.current!, align, matchWidth);
    const observer = new ResizeObserver(() => place(popup, anchor.current!, align, matchWidth));
    observer.observe(popup);
    return () => observer.disconnect();
  }, []);

  useEffect(() => {
    const outside = (event: Event) => {
      const target = event.target as Node;
      if (!ref.current?.contains(target) && !anchor.current?.contains(target)) onClose();
    };
    const escape = (event: KeyboardEvent) => {
      if (event.key !== "Escape" || closing.current) return;
      closing.current = true;  // a second Escape is meant for what is behind
      event.preventDefault();
      event.stopPropagation();
      onClose();
    };
    document.addEventListener("pointerdown", outside, true);
    document.addEventListener("keydown", escape, true);
    window.addEventListener("resize", onClose);
    return () => {
      document.removeEventListener("pointerdown", outside, true);
      document.removeEventListener("keydown", escape, true);
      window.removeEventListener("resize", onClose);
    };
  }, [onClose]);

  return <div ref={ref} popover="manual" class={`popup ${className}`}>{children}</div>;
}

const GAP = 6;

/** Below its anchor, or above where there is no room. */
function place(popup: HTMLElement, anchor: HTMLElement, align: "start" | "end", matchWidth?: boolean): void {
  const at = anchor.getBoundingClientRect();
  if (matchWidth) popup.style.minWidth = `${at.width}px`;
  const { width, height } = popup.getBoundingClientRect();
  const below = at.bottom + GAP + height <= window.innerHeight || at.top < height + GAP;
  const left = align === "end" ? at.right - width : at.left;
  popup.style.left = `${Math.max(8, Math.min(left, window.innerWidth - width - 8))}px`;
  popup.style.top = `${Math.max(8, below ? at.bottom + GAP : at.top - GAP - height)}px`;
}
