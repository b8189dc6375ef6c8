// Everything that is clicked once: buttons, feedback, icon buttons, overflow menus. A confirm is asked first.
import { useEffect, useRef, useState } from "preact/hooks";
import type { Block, Confirm, Element } from "../slack";
import { textOf } from "../slack";
import { openSafely } from "../text/links";
import { TextObject } from "../text/plain";
import { ConfirmDialog } from "../ui/dialog";
import { Icon } from "../ui/icons";
import { MenuButton } from "../ui/menu";
import { type Click, useSurface } from "./surface";
import { say } from "../words";

/** Send clicks of one element: busy while the app has not acknowledged, failed when it did not. */
export function useClick(block: Block, element: Element) {
  const { send } = useSurface();
  const [busy, setBusy] = useState(false);
  const [failed, setFailed] = useState(false);
  const alive = useRef(true);
  useEffect(() => () => { alive.current = false; }, []);
  const click = async (what: Partial<Click>) => {
    if (busy) return;
    setBusy(true);
    setFailed(false);
    const outcome = await send({ action_id: element.action_id ?? "", block_id: block.block_id ?? "", ...what });
    if (!alive.current) return;
    setBusy(false);
    setFailed(outcome?.ok !== true);
  };
  return { click, busy, failed };
}

/** Ask what the element's confirm asks, if it has one, and then do it. */
export function useConfirmed(confirm: Confirm | undefined) {
  const [pending, setPending] = useState<(() => void) | null>(null);
  const ask = (then: () => void) => (confirm ? setPending(() => then) : then());
  const dialog = confirm && pending && (
    <ConfirmDialog confirm={confirm} onAnswer={(yes) => { setPending(null); if (yes) pending(); }} />
  );
  return { ask, dialog };
}

export const Failed = ({ failed }: { failed: boolean }) =>
  failed ? <span class="click-failed" role="status"><span aria-hidden="true">⚠</span> {say("The app did not answer in time")}</span> : null;

export function Button({ block, element }: { block: Block; element: Element }) {
  const { click, busy, failed } = useClick(block, element);
  const { ask, dialog } = useConfirmed(element.confirm);
  const press = () => ask(() => {
    if (element.url) openSafely(element.url);
    void click({ value: element.value });
  });
  const kind = element.style === "primary" ? " button-primary" : element.style === "danger" ? " button-danger" : "";
  return (
    <>
      <button type="button" class={`button${kind}`} aria-busy={busy} data-action={element.action_id}
        aria-label={element.accessibility_label} onClick={press}>
        <TextObject text={element.text} />
      </button>
      <Failed failed={failed} />
      {dialog}
    </>
  );
}

export function FeedbackButtons({ block, element }: { block: Block; element: Element }) {
  const { click, busy, failed } = useClick(block, element);
  const [given, setGiven] = useState<string | null>(null);
  const sides = [
    { side: element.positive_button, icon: "thumbUp" as const },
    { side: element.negative_button, icon: "thumbDown" as const },
  ];
  return (
    <span class="feedback" role="group" aria-label={say("Feedback")}>
      {sides.map(({ side, icon }) => side && (
        <button key={side.value} type="button" class="icon-button" aria-pressed={given === side.value} aria-busy={busy}
          aria-label={side.accessibility_label ?? textOf(side.text)} title={textOf(side.text)} data-action={element.action_id}
          onClick={() => { setGiven(side.value); void click({ value: side.value }); }}>
          <Icon name={icon} />
        </button>
      ))}
      <Failed failed={failed} />
    </span>
  );
}

export function IconButton({ block, element }: { block: Block; element: Element }) {
  const { click, busy, failed } = useClick(block, element);
  const { ask, dialog } = useConfirmed(element.confirm);
  return (
    <>
      <button type="button" class="icon-button" aria-busy={busy} data-action={element.action_id}
        aria-label={element.accessibility_label ?? textOf(element.text)} title={textOf(element.text)}
        onClick={() => ask(() => void click({ value: element.value }))}>
        <Icon name={element.icon === "trash" ? "trash" : "more"} />
      </button>
      <Failed failed={failed} />
      {dialog}
    </>
  );
}

export function Overflow({ block, element }: { block: Block; element: Element }) {
  const { click, failed } = useClick(block, element);
  const { ask, dialog } = useConfirmed(element.confirm);
  const items = (element.options ?? []).map((option) => ({
    label: option.text.text,
    detail: option.description?.text,
    onPick: () => ask(() => void click({ selected: option.value })),
  }));
  return (
    <>
      <MenuButton label={say("More choices")} items={items} className="button button-square"><Icon name="more" /></MenuButton>
      <Failed failed={failed} />
      {dialog}
    </>
  );
}
