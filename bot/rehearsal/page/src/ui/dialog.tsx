// A modal dialog on the browser's own <dialog>: focus stays inside, Escape closes, focus goes back afterwards.
import type { ComponentChildren } from "preact";
import { useLayoutEffect, useRef } from "preact/hooks";
import type { Confirm } from "../slack";
import { textOf } from "../slack";
import { TextObject } from "../text/plain";

interface Props {
  labelledBy: string;
  onEscape: () => void;
  className?: string;
  role?: "dialog" | "alertdialog";
  children: ComponentChildren;
}

export function Dialog({ labelledBy, onEscape, className = "", role = "dialog", children }: Props) {
  const ref = useRef<HTMLDialogElement>(null);
  // Before any effect of the content: what is inside a closed dialog takes no focus.
  useLayoutEffect(() => {
    const dialog = ref.current!;
    const before = document.activeElement as HTMLElement | null;
    dialog.showModal();
    return () => {
      dialog.close();
      if (before?.isConnected) before.focus();
      else document.querySelector<HTMLElement>("[data-home-focus]")?.focus();
    };
  }, []);
  return (
    <dialog ref={ref} role={role} aria-labelledby={labelledBy} aria-modal="true" class={`dialog ${className}`}
      // The browser honours a refused `cancel` only once; the key is ours, so that the server decides what closes.
      onCancel={(event) => event.preventDefault()}
      onKeyDown={(event) => {
        if (event.key !== "Escape") return;
        event.preventDefault();
        event.stopPropagation();
        onEscape();
      }}>
      {children}
    </dialog>
  );
}

/** Slack's confirm object: asked before anything is sent. */
export function ConfirmDialog({ confirm, onAnswer }: { confirm: Confirm; onAnswer: (yes: boolean) => void }) {
  const danger = confirm.style === "danger";
  return (
    <Dialog labelledBy="confirm-title" role="alertdialog" className="dialog-small" onEscape={() => onAnswer(false)}>
      <h2 id="confirm-title" class="dialog-title"><TextObject text={confirm.title} /></h2>
      <div class="dialog-body"><TextObject text={confirm.text} /></div>
      <footer class="dialog-foot">
        <button type="button" class="button" autofocus={danger} onClick={() => onAnswer(false)}>{textOf(confirm.deny)}</button>
        <button type="button" class={`button ${danger ? "button-danger" : "button-primary"}`} autofocus={!danger} onClick={() => onAnswer(true)}>
          {textOf(confirm.confirm)}
        </button>
      </footer>
    </Dialog>
  );
}
