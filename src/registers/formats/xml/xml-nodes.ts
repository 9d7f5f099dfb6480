import { duplicateKey, errorAt } from "../text.ts";

/** An attribute; `lead` is the blanks before it, `equals` the sign with its blanks, `raw` what stands between the quotes. */
export interface XmlAttribute {
  readonly lead: string;
  readonly name: string;
  readonly equals: string;
  readonly quote: string;
  raw: string;
}

/** Text between tags. */
export interface XmlText {
  readonly is: "text";
  raw: string;
}

/** A CDATA section; its brackets are not in `raw`. */
export interface XmlCdata {
  readonly is: "cdata";
  readonly raw: string;
}

/** A comment, a processing instruction or the document type, brackets and all. */
export interface XmlOther {
  readonly is: "other";
  readonly raw: string;
}

export interface XmlElement {
  readonly is: "element";
  readonly name: string;
  readonly attributes: XmlAttribute[];
  /** Blanks before the `>` or `/>` of the opening tag. */
  space: string;
  /** Whether it is written `<name/>`; then it has no children. */
  closed: boolean;
  readonly children: XmlNode[];
  /** Blanks in the closing tag. */
  endSpace: string;
  readonly at: number;
}

export type XmlNode = XmlElement | XmlText | XmlCdata | XmlOther;

const name = /[^\s<>/=!?"'&[\]]+/y;
const blanks = /[ \t\r\n]*/y;
const deepest = 500;

function take(pattern: RegExp, text: string, at: number): string {
  pattern.lastIndex = at;
  return pattern.exec(text)?.[0] ?? "";
}

/** Reads an XML text into its nodes without loss. Throws FormatError when tags do not match or an attribute stands twice. */
export function parseXmlNodes(text: string): XmlNode[] {
  let at = 0;
  const fail = (message: string, where = at): Error => errorAt(text, where, message, "Mend the text.");
  const nodes: XmlNode[] = [];
  readInto(nodes, undefined, 0);
  return nodes;

  function until(end: string, start: number, what: string): string {
    const found = text.indexOf(end, start);
    if (found === -1) throw fail(`${what} is not closed`);
    return text.slice(at, found + end.length);
  }

  function readInto(children: XmlNode[], parent: XmlElement | undefined, depth: number): void {
    if (depth > deepest) throw fail(`elements are nested more than ${deepest} deep`);
    while (at < text.length) {
      if (text.startsWith("</", at)) {
        if (parent === undefined) throw fail("a closing tag stands here without its opening tag");
        return;
      }
      if (text[at] !== "<") {
        const end = text.indexOf("<", at);
        const raw = text.slice(at, end === -1 ? text.length : end);
        if (parent === undefined && raw.trim() !== "") throw fail("text stands outside of the root element");
        children.push({ is: "text", raw });
        at += raw.length;
      } else if (text.startsWith("<![CDATA[", at)) {
        const raw = until("]]>", at, "a CDATA section");
        children.push({ is: "cdata", raw: raw.slice(9, -3) });
        at += raw.length;
      } else if (text[at + 1] === "!" || text[at + 1] === "?") {
        const raw = other();
        children.push({ is: "other", raw });
        at += raw.length;
      } else {
        if (parent === undefined && children.some(({ is }) => is === "element")) throw fail("a second root element begins here");
        children.push(readElement(depth));
      }
    }
    if (parent !== undefined) throw fail(`the element <${parent.name}> is not closed`, parent.at);
  }

  function other(): string {
    if (text.startsWith("<!--", at)) return until("-->", at + 4, "a comment");
    if (text.startsWith("<?", at)) return until("?>", at + 2, "a processing instruction");
    // A document type may hold declarations in brackets, with `>` in them.
    const found = /<!(?:[^[>"']|"[^"]*"|'[^']*')*(?:\[(?:[^\]"'<]|"[^"]*"|'[^']*'|<!--(?:[^-]|-(?!->))*-->|<)*\]\s*)?>/y;
    const raw = take(found, text, at);
    if (raw === "") throw fail("a declaration is not closed");
    return raw;
  }

  function readElement(depth: number): XmlElement {
    const start = at;
    at += 1;
    const tag = take(name, text, at);
    if (tag === "") throw fail("the name of an element is missing", start);
    at += tag.length;
    const attributes: XmlAttribute[] = [];
    let space = take(blanks, text, at);
    at += space.length;
    while (at < text.length && text[at] !== ">" && !text.startsWith("/>", at)) {
      attributes.push(readAttribute(space, attributes));
      space = take(blanks, text, at);
      at += space.length;
    }
    const closed = text[at] === "/";
    at += closed ? 2 : 1;
    const element: XmlElement = { is: "element", name: tag, attributes, space, closed, children: [], endSpace: "", at: start };
    if (closed) return element;
    if (at > text.length) throw fail(`the tag <${tag}> is not closed`, start);
    readInto(element.children, element, depth + 1);
    const end = take(name, text, at + 2);
    if (end !== tag) throw fail(`</${end}> closes <${tag}>`);
    at += 2 + end.length;
    element.endSpace = take(blanks, text, at);
    at += element.endSpace.length;
    if (text[at] !== ">") throw fail(`the tag </${tag}> is not closed`);
    at += 1;
    return element;
  }

  function readAttribute(lead: string, before: readonly XmlAttribute[]): XmlAttribute {
    const start = at;
    const key = take(name, text, at);
    at += key.length;
    const equals = take(/[ \t\r\n]*=[ \t\r\n]*/y, text, at);
    at += equals.length;
    const quoted = take(/"[^"<]*"|'[^'<]*'/y, text, at);
    if (key === "" || equals === "" || quoted === "" || lead === "") throw fail("here stands no attribute", start);
    if (before.some((one) => one.name === key)) throw duplicateKey(text, start, `@${key}`);
    at += quoted.length;
    return { lead, name: key, equals, quote: quoted[0] as string, raw: quoted.slice(1, -1) };
  }
}

/** The text of nodes, as it was and with the edits in it. */
export function writeXml(nodes: readonly XmlNode[]): string {
  const parts: string[] = [];
  const write = (node: XmlNode): void => {
    if (node.is === "text" || node.is === "other") parts.push(node.raw);
    else if (node.is === "cdata") parts.push("<![CDATA[", node.raw, "]]>");
    else {
      parts.push("<", node.name);
      for (const { lead, name: key, equals, quote, raw } of node.attributes) parts.push(lead, key, equals, quote, raw, quote);
      parts.push(node.space, node.closed ? "/>" : ">");
      if (node.closed) return;
      node.children.forEach(write);
      parts.push("</", node.name, node.endSpace, ">");
    }
  };
  nodes.forEach(write);
  return parts.join("");
}

const entities: Readonly<Record<string, string>> = { amp: "&", lt: "<", gt: ">", quot: '"', apos: "'" };

/** Raw text with the entities that every XML text has resolved; entities of its own document type stay as written. */
export function decodeXml(raw: string): string {
  return raw
    .replaceAll("\r\n", "\n")
    .replace(
      /&(?:#x([0-9a-fA-F]{1,6})|#(\d{1,7})|(\w+));/g,
      (entity, hex: string | undefined, decimal: string | undefined, named: string | undefined) => {
        if (named !== undefined) return Object.hasOwn(entities, named) ? (entities[named] as string) : entity;
        const code = hex === undefined ? Number(decimal) : Number.parseInt(hex, 16);
        return code <= 0x10ffff ? String.fromCodePoint(code) : entity;
      },
    );
}

/** Text between tags. A `>` stays as it is but in `]]>`, which only the end of a section may be. */
export function encodeXmlText(text: string, eol: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll("]]>", "]]&gt;").replaceAll("\r", "&#13;").replaceAll("\n", eol);
}

/** Text between the quotes of an attribute, whose line ends and tabs a reader would else turn into blanks. */
export function encodeXmlAttribute(text: string, quote: string): string {
  const escaped = text
    .replaceAll("&", "&amp;")
    .replaceAll("<", "&lt;")
    .replace(/[\t\n\r]/g, (char) => `&#${char.charCodeAt(0)};`);
  return quote === "'" ? escaped.replaceAll("'", "&apos;") : escaped.replaceAll('"', "&quot;");
}
