// The modal on top of the stack. What was typed survives errors and updates; pushed views come and go above it.
import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import { Blocks } from "../blocks/blocks";
import { collect, keepKnown } from "../blocks/forms";
import { SurfaceContext, type Surface } from "../blocks/surface";
import { textOf, type View } from "../slack";
import { useActing, type Acting, type Outcome } from "../state/acting";
import type { World } from "../state/world";
import { Dialog } from "../ui/dialog";
import { Icon } from "../ui/icons";
import { readOptions } from "./message";
import { say } from "../words";

type Errors = Record<string, string>;

/** The form behind a view: its values and its surface. */
export function useViewSurface(view: View, me: string, perform: Acting["perform"], errors: Errors, onTouch?: (key: string) => void) {
  const [values, setValues] = useState<Record<string, unknown>>({});
  useEffect(() => setValues((now) => keepKnown(view.blocks, now)), [view.hash]);
  const surface = useMemo<Surface>(() => ({
    id: view.id,
    headingLevel: view.type === "home" ? 2 : 3,
    send: (click) => perform<Outcome>("click_view", { view_id: view.id, ...click, values: collect(view.blocks, values) }),
    ask: async (question) => readOptions(await perform("options", { view_id: view.id, ...question })),
    pictureUrl: (id) => `/page/file/${encodeURIComponent(id)}?as=${encodeURIComponent(me)}`,
    form: {
      values,
      errors,
      set: (key, value) => {
        onTouch?.(key);
        setValues((now) => ({ ...now, [key]: value }));
      },
    },
  }), [view.id, view.hash, me, values, errors, perform]);
  return { surface, values };
}

export function ModalStack({ world }: { world: World }) {
  const { perform } = useActing();
  const view = world.views.at(-1);
  if (!view) return null;
  const close = () => void perform("close_view", { view_id: view.id });
  return (
    <Dialog labelledBy="modal-title" onEscape={close} className="dialog-modal">
      {/* Every view of the stack keeps its form while another one is above it. */}
      {world.views.map((one) => (
        <div key={one.id} hidden={one.id !== view.id}>
          <Modal view={one} me={world.me} isTop={one.id === view.id} isPushed={world.views.length > 1} onClose={close} />
        </div>
      ))}
    </Dialog>
  );
}

interface ModalProps { view: View; me: string; isTop: boolean; isPushed: boolean; onClose: () => void }

function Modal({ view, me, isTop, isPushed, onClose }: ModalProps) {
  const { perform } = useActing();
  const body = useRef<HTMLDivElement>(null);
  const [touched, setTouched] = useState<Set<string>>(new Set());
  const [busy, setBusy] = useState(false);
  // By what they say: a view that the app updates meanwhile brings the same ones again.
  const complaints = JSON.stringify(view.errors ?? null);
  const errors = useMemo(
    () => Object.fromEntries(Object.entries(view.errors ?? {}).filter(([key]) => !touched.has(key))),
    [view.errors, touched],
  );
  const { surface, values } = useViewSurface(view, me, perform, errors, (key) => setTouched((now) => new Set(now).add(key)));

  useEffect(() => {
    if (!isTop) return;
    const first = body.current?.querySelector<HTMLElement>("[data-autofocus=true]")
      ?? body.current?.querySelector<HTMLElement>("input, textarea, select, button");
    (first ?? body.current?.closest("dialog")?.querySelector<HTMLElement>(".dialog-close"))?.focus();
  }, [view.id, isTop]);

  useEffect(() => {
    setTouched(new Set());
    if (!view.errors || !isTop) return;
    const first = body.current?.querySelector<HTMLElement>(".has-error input, .has-error textarea");
    first?.focus();
    first?.scrollIntoView({ block: "center" });
  }, [complaints]);

  const submit = async () => {
    if (busy) return;
    setBusy(true);
    setTouched(new Set());
    await perform("submit", { view_id: view.id, values: collect(view.blocks, values) });
    setBusy(false);
  };

  return (
    <form class="modal" novalidate onSubmit={(event) => { event.preventDefault(); void submit(); }} aria-busy={busy}>
      <header class="dialog-head">
        {isPushed && (
          <button type="button" class="icon-button" aria-label={say("Back")} title={say("Back")} onClick={onClose}><span class="turn-left"><Icon name="chevron" /></span></button>
        )}
        <h2 id={isTop ? "modal-title" : undefined} class="dialog-title">{textOf(view.title)}</h2>
        <button type="button" class="icon-button dialog-close" aria-label={say("Close")} title={say("Close")} onClick={onClose}><Icon name="close" /></button>
      </header>
      <div class="dialog-body" ref={body}>
        <SurfaceContext.Provider value={surface}><Blocks blocks={view.blocks} /></SurfaceContext.Provider>
      </div>
      <footer class="dialog-foot">
        <button type="button" class="button" onClick={onClose}>{textOf(view.close) || (view.submit ? say("Cancel") : say("Close"))}</button>
        {view.submit && (
          <button type="submit" class="button button-primary" aria-busy={busy}>{textOf(view.submit)}</button>
        )}
      </footer>
    </form>
  );
}
