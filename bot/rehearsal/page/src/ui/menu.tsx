// A button that opens a menu.
import type { ComponentChildren } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import { Popup } from "./popup";
import { rove } from "./roving";

export interface MenuItem {
  label: string;
  detail?: string;
  icon?: ComponentChildren;
  danger?: boolean;
  checked?: boolean;
  onPick: () => void;
}

interface Props {
  label: string;
  items: MenuItem[];
  children: ComponentChildren;
  className?: string;
  align?: "start" | "end";
  heading?: string;
  onToggle?: (open: boolean) => void;
}

export function MenuButton({ label, items, children, className = "icon-button", align = "end", heading, onToggle }: Props) {
  const button = useRef<HTMLButtonElement>(null);
  const [open, setOpen] = useState(false);
  const toggle = (to: boolean) => {
    setOpen(to);
    onToggle?.(to);
  };
  const close = () => {
    toggle(false);
    button.current?.focus();
  };
  return (
    <>
      <button ref={button} type="button" class={className} aria-label={label} title={label} aria-haspopup="menu"
        aria-expanded={open} onClick={() => toggle(!open)}
        onKeyDown={(event) => { if (event.key === "ArrowDown" && !open) { event.preventDefault(); toggle(true); } }}>
        {children}
      </button>
      {open && (
        <Popup anchor={button} onClose={close} align={align}>
          <Menu label={label} heading={heading} items={items} onClose={close} />
        </Popup>
      )}
    </>
  );
}

function Menu({ label, heading, items, onClose }: { label: string; heading?: string; items: MenuItem[]; onClose: () => void }) {
  const list = useRef<HTMLDivElement>(null);
  useEffect(() => {
    const items = list.current?.querySelectorAll<HTMLElement>(".menu-item");
    const chosen = [...(items ?? [])].find((item) => item.getAttribute("aria-checked") === "true");
    (chosen ?? items?.[0])?.focus();
  }, []);
  return (
    <>
      {heading && <p class="menu-heading" aria-hidden="true">{heading}</p>}
      <div ref={list} role="menu" aria-label={label} class="menu"
        onKeyDown={(event) => { if (!rove(event, ".menu-item") && event.key === "Tab") onClose(); }}>
        {items.map((item, n) => (
          <button key={n} type="button" tabIndex={n === 0 ? 0 : -1}
            role={item.checked === undefined ? "menuitem" : "menuitemradio"} aria-checked={item.checked}
            class={`menu-item${item.danger ? " danger" : ""}`}
            onClick={() => { onClose(); item.onPick(); }}>
            {item.icon && <span class="menu-icon">{item.icon}</span>}
            <span class="menu-words">
              <span>{item.label}</span>
              {item.detail && <small>{item.detail}</small>}
            </span>
          </button>
        ))}
      </div>
    </>
  );
}
