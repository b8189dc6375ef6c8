// Block Kit on the page: one small component per kind of block, from the table at the end.
import type { ComponentType } from "preact";
import { memo } from "preact/compat";
import { useState } from "preact/hooks";
import type { Block, Element, Text } from "../slack";
import { textOf } from "../slack";
import { Markdown } from "../text/markdown";
import { TextObject } from "../text/plain";
import { RichText } from "../text/richtext";
import { ChartBlock } from "./chart";
import { Button, FeedbackButtons, IconButton, Overflow } from "./buttons";
import { Input } from "./inputs";
import { useSurface } from "./surface";
import { say } from "../words";

export const Blocks = memo(function Blocks({ blocks }: { blocks: Block[] }) {
  return <div class="blocks">{blocks.map((block, n) => <OneBlock key={block.block_id ?? n} block={block} />)}</div>;
});

function OneBlock({ block }: { block: Block }) {
  const Kind = KINDS[block.type];
  return Kind ? <Kind block={block} /> : <p class="block-unknown">{say("This page cannot show a {kind} block.", { kind: block.type })}</p>;
}

function Section({ block }: { block: Block }) {
  return (
    <div class="block-section">
      <div class="block-main">
        {block.text && <div class="text"><TextObject text={block.text} /></div>}
        {block.fields && (
          <div class="fields">{block.fields.map((field, n) => <div key={n} class="text"><TextObject text={field} /></div>)}</div>
        )}
      </div>
      {block.accessory && <div class="accessory"><Interactive block={block} element={block.accessory} /></div>}
    </div>
  );
}

function Header({ block }: { block: Block }) {
  const { headingLevel = 3 } = useSurface();
  return <p class="block-header" role="heading" aria-level={headingLevel}><TextObject text={block.text} /></p>;
}

const Context = ({ block }: { block: Block }) => (
  <div class="block-context">
    {(block.elements as (Element | Text)[]).map((element, n) =>
      element.type === "image" ? <Picture key={n} image={element as Element} small />
        : <span key={n} class="text"><TextObject text={element as Text} /></span>)}
  </div>
);

const Actions = ({ block }: { block: Block }) => (
  <div class="block-actions">
    {(block.elements as Element[]).map((element, n) => <Interactive key={element.action_id ?? n} block={block} element={element} />)}
  </div>
);

/** A labelled input of a form, with its hint and what is wrong with it. */
function InputBlock({ block }: { block: Block }) {
  const surface = useSurface();
  const id = `${surface.id}-${block.block_id}`;
  const error = surface.form?.errors[block.block_id ?? ""];
  const describedBy = [block.hint && `${id}-hint`, error && `${id}-error`].filter(Boolean).join(" ") || undefined;
  const label = textOf(block.label);
  return (
    <div class={`block-input${error ? " has-error" : ""}`} data-block={block.block_id}>
      <label for={id} class="input-label">
        <TextObject text={block.label} />
        {block.optional && <span class="optional"> {say("(optional)")}</span>}
      </label>
      <Input block={block} element={block.element!} label={label} id={id} describedBy={describedBy} invalid={Boolean(error)} />
      {error && <p id={`${id}-error`} class="field-error" role="alert"><span aria-hidden="true">!</span> {error}</p>}
      {block.hint && <p id={`${id}-hint`} class="hint"><TextObject text={block.hint} /></p>}
    </div>
  );
}

function Picture({ image, small }: { image: Element | Block; small?: boolean }) {
  const { pictureUrl } = useSurface();
  const [broken, setBroken] = useState(false);
  const url = image.slack_file?.id ? pictureUrl(image.slack_file.id) : image.image_url;
  const alt = image.alt_text ?? "";
  // Pictures of other servers would tell them who is looking: only our own and inline ones are loaded.
  const ours = url && (url.startsWith("/") || url.startsWith("data:image/") || url.startsWith(location.origin));
  if (!ours || broken) return <span class="picture-missing">{say("Picture: {description}", { description: alt })}</span>;
  return <img src={url} alt={alt} class={small ? "picture-small" : "picture"} onError={() => setBroken(true)} loading="lazy" />;
}

const ImageBlock = ({ block }: { block: Block }) => (
  <figure class="block-image">
    {block.title && <figcaption><TextObject text={block.title} /></figcaption>}
    <Picture image={block} />
  </figure>
);

const TableBlock = ({ block }: { block: Block }) => (
  <div class="table-scroll" tabIndex={0} role="region" aria-label={say("Table")}>
    <table><tbody>
      {(block.rows as { type: string; text?: string; elements?: unknown[] }[][]).map((row, n) => (
        <tr key={n}>{row.map((cell, m) => <td key={m}>{cell.elements ? <RichText elements={cell.elements} /> : cell.text}</td>)}</tr>
      ))}
    </tbody></table>
  </div>
);

/** Any element that can be clicked or filled in. */
export function Interactive({ block, element }: { block: Block; element: Element }) {
  switch (element.type) {
    case "button":
    case "workflow_button": return <Button block={block} element={element} />;
    case "feedback_buttons": return <FeedbackButtons block={block} element={element} />;
    case "icon_button": return <IconButton block={block} element={element} />;
    case "overflow": return <Overflow block={block} element={element} />;
    case "image": return <Picture image={element} />;
    default: return <Input block={block} element={element} label={element.placeholder?.text ?? (textOf(block.text).slice(0, 80) || say("Choose"))} />;
  }
}

const KINDS: Record<string, ComponentType<{ block: Block }>> = {
  section: Section,
  header: Header,
  divider: () => <hr />,
  context: Context,
  actions: Actions,
  context_actions: Actions,
  input: InputBlock,
  image: ImageBlock,
  markdown: ({ block }) => <Markdown text={textOf(block.text)} />,
  rich_text: ({ block }) => <RichText elements={block.elements ?? []} />,
  table: TableBlock,
  data_visualization: ChartBlock,
};
