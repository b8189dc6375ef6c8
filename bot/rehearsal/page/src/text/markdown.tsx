// Markdown, as models write it: `marked` reads it, and its tokens become nodes. Raw HTML in it is shown as text.
import { lexer, type Token, type Tokens } from "marked";
import type { ComponentChild } from "preact";
import { useMemo } from "preact/hooks";
import { Link } from "./links";
import { say } from "../words";

export function Markdown({ text }: { text: string }) {
  const tokens = useMemo(() => lexer(text, { gfm: true, breaks: true }), [text]);
  return <div class="markdown">{tokens.map(block)}</div>;
}

function block(token: Token, key: number): ComponentChild {
  switch (token.type) {
    case "heading":
      // A message is no document: its headings are no headings of the page.
      return <p key={key} class="md-heading"><strong>{spans(token)}</strong></p>;
    case "paragraph":
      return <p key={key}>{spans(token)}</p>;
    case "blockquote":
      return <blockquote key={key}>{(token as Tokens.Blockquote).tokens.map(block)}</blockquote>;
    case "list": {
      const { ordered, start, items } = token as Tokens.List;
      const rows = items.map((item, n) => <li key={n}>{item.tokens.map(block)}</li>);
      return ordered ? <ol key={key} start={Number(start) || 1}>{rows}</ol> : <ul key={key}>{rows}</ul>;
    }
    case "code":
      return <pre key={key}><code>{(token as Tokens.Code).text}</code></pre>;
    case "table": {
      const { header, rows } = token as Tokens.Table;
      return (
        <div key={key} class="table-scroll" tabIndex={0} role="region" aria-label={say("Table")}>
          <table>
            <thead><tr>{header.map((cell, n) => <th key={n}>{inline(cell.tokens)}</th>)}</tr></thead>
            <tbody>{rows.map((row, n) => <tr key={n}>{row.map((cell, m) => <td key={m}>{inline(cell.tokens)}</td>)}</tr>)}</tbody>
          </table>
        </div>
      );
    }
    case "hr":
      return <hr key={key} />;
    case "space":
      return null;
    case "text":
      return <span key={key}>{spans(token)}</span>;
    default:
      return <p key={key}>{token.raw}</p>;
  }
}

const spans = (token: Token) => ("tokens" in token && token.tokens ? inline(token.tokens) : token.raw);

function inline(tokens: Token[]): ComponentChild[] {
  return tokens.map((token, key) => {
    switch (token.type) {
      case "strong": return <strong key={key}>{spans(token)}</strong>;
      case "em": return <em key={key}>{spans(token)}</em>;
      case "del": return <s key={key}>{spans(token)}</s>;
      case "codespan": return <code key={key}>{token.text}</code>;
      case "br": return <br key={key} />;
      case "link": return <Link key={key} url={(token as Tokens.Link).href}>{spans(token)}</Link>;
      case "image": return <Link key={key} url={(token as Tokens.Image).href}>{token.text || say("picture")}</Link>;
      case "text": return <span key={key}>{"tokens" in token && token.tokens ? inline(token.tokens) : unescape(token.text)}</span>;
      case "escape": return unescape(token.text);
      default: return token.raw;
    }
  });
}

/** Slack's own three escapes, which its clients undo in markdown too. */
const unescape = (text: string) =>
  text.replace(/&lt;/g, "<").replace(/&gt;/g, ">").replace(/&quot;/g, '"').replace(/&#39;/g, "'").replace(/&amp;/g, "&");
