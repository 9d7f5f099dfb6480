import { FormatError, type FormatJson, type FormatMap, type KeyPath } from "../format.ts";
import { isList, isMap, mapOf } from "../format-json.ts";
import { formatKeyPath } from "../key-path.ts";
import { endOfLine, placeOf, splitMark } from "../text.ts";
import { type NodeKind, scalarText, type TreeDocument } from "../tree.ts";
import {
  decodeXml,
  encodeXmlAttribute,
  encodeXmlText,
  parseXmlNodes,
  writeXml,
  type XmlAttribute,
  type XmlElement,
  type XmlNode,
} from "./xml-nodes.ts";

/** The text, the elements of one name under a parent, one of them, or an attribute. */
export type XmlSpot =
  | { readonly is: "top" }
  | { readonly is: "elements"; readonly parent: XmlElement | undefined; readonly elements: readonly XmlElement[] }
  | { readonly is: "attribute"; readonly parent: XmlElement; readonly attribute: XmlAttribute };

const nowhere = { line: 0, column: 0 };
const nameRule = /^[\p{L}_:][\p{L}\p{N}_:.·-]*$/u;

/** An XML text as a tree: the root element is the first step of a path. */
export function parseXml(text: string): TreeDocument<XmlSpot> {
  const { mark, body } = splitMark(text);
  const nodes = parseXmlNodes(body);
  const eol = endOfLine(body);
  const unit = unitOf(nodes) ?? "  ";
  const pretty = nodes.every((node) => node.is !== "element") || body.includes("\n");
  const parents = new Map<XmlElement, XmlElement | undefined>();

  const childrenOf = (parent: XmlElement | undefined, name: string): readonly XmlElement[] => {
    const found = (parent?.children ?? nodes).filter((node): node is XmlElement => node.is === "element" && node.name === name);
    for (const element of found) parents.set(element, parent);
    return found;
  };

  /** The indent of the line that an element begins on. */
  const indentOf = (element: XmlElement): string => {
    const parent = parents.get(element);
    const siblings = parent?.children ?? nodes;
    const before = siblings[siblings.indexOf(element) - 1];
    const own = before?.is === "text" ? /\n([ \t]*)$/.exec(before.raw)?.[1] : undefined;
    return own ?? (parent === undefined ? "" : indentOf(parent));
  };

  const build = (name: string, value: FormatJson, indent: string): XmlElement => {
    refuseName(name);
    const element: XmlElement = { is: "element", name, attributes: [], space: "", closed: false, children: [], endSpace: "", at: 0 };
    if (isMap(value)) fill(element, value, indent);
    else if (value !== "") element.children.push({ is: "text", raw: encodeXmlText(value as string, eol) });
    return element;
  };

  /** Gives an element the attributes and child elements of a map. */
  const fill = (element: XmlElement, value: FormatMap, indent: string): void => {
    for (const [key, inner] of Object.entries(value)) {
      if (key.startsWith("@")) setAttribute(element, key.slice(1), inner as string);
      else for (const item of isList(inner) ? inner : [inner]) addChild(element, build(key, item, indent + unit), indent);
    }
    if (element.children.length === 0) element.closed = true;
  };

  const addChild = (parent: XmlElement, child: XmlElement, indent: string): void => {
    const { children } = parent;
    parents.set(child, parent);
    const elements = children.filter((node) => node.is === "element");
    const like = elements.findLast((node) => node.name === child.name) ?? elements[elements.length - 1];
    if (like !== undefined) {
      if (child.closed && like.closed && !like.space.includes("\n")) child.space = like.space;
      const at = children.indexOf(like);
      const before = children[at - 1];
      const lead = before?.is === "text" ? /\r?\n[ \t]*$/.exec(before.raw)?.[0] : undefined;
      children.splice(at + 1, 0, ...(lead === undefined ? [child] : [{ is: "text" as const, raw: lead }, child]));
      return;
    }
    // Only `<a></a>` takes its first child on its own line, so that taking the child out gives it back.
    const inline = !pretty || (children.length === 0 && !parent.closed && parent.at > 0);
    if (parent.closed) parent.space = "";
    parent.closed = false;
    if (inline) children.push(child);
    else {
      const last = children[children.length - 1];
      if (last?.is === "text" && last.raw.trim() === "") children.pop();
      children.push({ is: "text", raw: eol + indent + unit }, child, { is: "text", raw: eol + indent });
    }
  };

  const setText = (element: XmlElement, value: string): void => {
    const { children } = element;
    const cdata = children.findIndex((node) => node.is === "cdata");
    const words = children.findIndex((node) => node.is === "text" && node.raw.trim() !== "");
    const at = cdata !== -1 ? cdata : words !== -1 ? words : children.findIndex((node) => node.is === "text");
    const asCdata = cdata !== -1 && !value.includes("]]>") && !value.includes("\r");
    const text: XmlNode = asCdata ? { is: "cdata", raw: value.replaceAll("\n", eol) } : { is: "text", raw: encodeXmlText(value, eol) };
    const keptBefore = children.slice(0, Math.max(at, 0)).filter((node) => node.is === "other");
    const keptAfter = children.slice(at + 1).filter((node) => node.is === "other");
    children.splice(0, children.length, ...keptBefore, ...(value === "" ? [] : [text]), ...keptAfter);
    if (element.closed) element.space = "";
    element.closed = false;
  };

  const replaceElement = (element: XmlElement, value: FormatJson): void => {
    const mixed =
      hasElements(element) && element.children.some((node) => (node.is === "text" || node.is === "cdata") && node.raw.trim() !== "");
    if (mixed || (!isMap(value) && hasElements(element))) {
      throw new FormatError(
        `<${element.name}> holds ${mixed ? "text mixed with elements" : "elements"}, and would lose them`,
        placeOf(body, element.at),
        "Name the child elements in the path, or edit this place by hand.",
      );
    }
    if (!isMap(value)) {
      const text = value as string;
      // An element with attributes and blanks alone reads as the map of them: the blanks would not be found again.
      if (text !== "" && text.trim() === "" && element.attributes.length > 0) {
        throw new FormatError(
          `<${element.name}> has attributes, and a text of blanks alone would not be told from none`,
          placeOf(body, element.at),
          "Set an empty text to leave the element without one.",
        );
      }
      // For the same reason an empty text may stand here already.
      if (textOf(element) !== text) setText(element, text);
      return;
    }
    const wanted = mapOf(Object.entries(value));
    element.children.splice(0);
    const attributes = element.attributes.filter(({ name }) => Object.hasOwn(wanted, `@${name}`));
    element.attributes.splice(0, element.attributes.length, ...attributes);
    element.closed = true;
    fill(element, value, indentOf(element));
  };

  return {
    root: () => ({ is: "top" }),
    kind(spot, next): NodeKind {
      if (spot.is === "top") return "map";
      if (spot.is === "attribute") return "scalar";
      if (typeof next !== "string") return "list";
      const [first, second] = spot.elements;
      if (first === undefined || second !== undefined) return "list";
      if (next.startsWith("@") || hasElements(first)) return "map";
      return textOf(first).trim() === "" ? "map" : "scalar";
    },
    value(spot) {
      if (spot.is === "attribute") return decodeXml(spot.attribute.raw);
      if (spot.is === "elements") return valueOfAll(spot.elements);
      return mapOf(nodes.flatMap((node) => (node.is === "element" ? [[node.name, elementJson(node)]] : [])));
    },
    child(spot, key) {
      if (spot.is === "attribute") return undefined;
      const parent = spot.is === "top" ? undefined : spot.elements[0];
      if (key.startsWith("@")) {
        const attribute = parent?.attributes.find(({ name }) => name === key.slice(1));
        return attribute === undefined || parent === undefined ? undefined : { is: "attribute", parent, attribute };
      }
      const elements = childrenOf(parent, key);
      return elements.length === 0 ? undefined : { is: "elements", parent, elements };
    },
    items: (spot) => (spot.is === "elements" ? spot.elements.map((element) => ({ ...spot, elements: [element] })) : []),
    field(spot, key) {
      const [element] = spot.is === "elements" ? spot.elements : [];
      const attribute = element?.attributes.find(({ name }) => name === key.replace(/^@/, ""));
      if (attribute !== undefined) return decodeXml(attribute.raw);
      const [child, second] = element === undefined ? [] : childrenOf(element, key);
      return child === undefined || second !== undefined || hasElements(child) ? undefined : textOf(child);
    },
    fieldKey(list, key) {
      const siblings = list?.is === "elements" ? list.elements : [];
      return key.startsWith("@") || siblings.some((element) => childrenOf(element, key).length > 0) ? key : `@${key}`;
    },
    admit: admitXml,
    replace(spot, value) {
      if (spot.is === "attribute") {
        spot.attribute.raw = encodeXmlAttribute(value as string, spot.attribute.quote);
        return;
      }
      if (spot.is === "top") return;
      const values = isList(value) ? value : [value];
      values.forEach((item, i) => {
        const element = spot.elements[i];
        if (element === undefined) this.append(spot, item);
        else if (JSON.stringify(elementJson(element)) !== JSON.stringify(item)) replaceElement(element, item);
      });
      for (const element of spot.elements.slice(values.length)) removeElement(nodes, spot.parent, element);
    },
    insert(spot, key, value) {
      const parent = spot.is === "elements" ? spot.elements[0] : undefined;
      if (key.startsWith("@")) {
        if (parent === undefined || typeof value !== "string")
          throw new FormatError(
            `${key}: an attribute holds a text and stands in an element`,
            nowhere,
            "Name the element before the attribute.",
          );
        return setAttribute(parent, key.slice(1), value);
      }
      if (parent === undefined) return insertRoot(key, value);
      for (const item of isList(value) ? value : [value]) {
        const indent = indentOf(parent);
        addChild(parent, build(key, item, indent + unit), indent);
      }
    },
    append(spot, value) {
      if (spot.is !== "elements" || spot.parent === undefined)
        throw new FormatError("an XML text has one root element", nowhere, "Name the root element without an index.");
      const indent = indentOf(spot.parent);
      addChild(spot.parent, build(spot.elements[0]?.name ?? "", value, indent + unit), indent);
    },
    remove(_parent, _step, spot) {
      if (spot.is === "attribute") spot.parent.attributes.splice(spot.parent.attributes.indexOf(spot.attribute), 1);
      else if (spot.is === "elements") for (const element of spot.elements) removeElement(nodes, spot.parent, element);
    },
    place: (spot) => (spot.is === "elements" ? placeOf(body, spot.elements[0]?.at ?? 0) : { line: 1, column: 1 }),
    text: () => mark + writeXml(nodes),
  };

  function insertRoot(key: string, value: FormatJson): void {
    const root = nodes.find((node) => node.is === "element");
    if (root !== undefined)
      throw new FormatError(
        `<${key}>: the root element of the text is <${root.name}>`,
        placeOf(body, root.at),
        "Begin the path with the name of the root element.",
      );
    if (isList(value)) throw new FormatError(`<${key}>: an XML text has one root element`, nowhere, "Set a map or a text.");
    const last = nodes[nodes.length - 1];
    if (last !== undefined && !(last.is === "text" && last.raw.endsWith("\n"))) nodes.push({ is: "text", raw: eol });
    nodes.push(build(key, value, ""), { is: "text", raw: eol });
  }
}

function hasElements(element: XmlElement): boolean {
  return element.children.some(({ is }) => is === "element");
}

function textOf(element: XmlElement): string {
  return element.children
    .map((node) => (node.is === "text" ? decodeXml(node.raw) : node.is === "cdata" ? node.raw.replaceAll("\r\n", "\n") : ""))
    .join("");
}

/** An element without child elements is its text; one with attributes and no text, or with child elements, is a map. */
function elementJson(element: XmlElement): FormatJson {
  const text = textOf(element);
  const attributes = element.attributes.map(({ name, raw }) => [`@${name}`, decodeXml(raw)] as const);
  if (!hasElements(element)) return attributes.length === 0 || text.trim() !== "" ? text : mapOf(attributes);
  const groups = new Map<string, XmlElement[]>();
  for (const child of element.children) {
    if (child.is !== "element") continue;
    const group = groups.get(child.name);
    if (group === undefined) groups.set(child.name, [child]);
    else group.push(child);
  }
  return mapOf([
    ...attributes,
    ...[...groups].map(([name, group]) => [name, valueOfAll(group)] as const),
    ...(text.trim() === "" ? [] : [["#text", text.trim()] as const]),
  ]);
}

function valueOfAll(elements: readonly XmlElement[]): FormatJson {
  const [first, second] = elements;
  return first !== undefined && second === undefined ? elementJson(first) : elements.map(elementJson);
}

function setAttribute(element: XmlElement, name: string, value: string): void {
  refuseName(name);
  const found = element.attributes.find((attribute) => attribute.name === name);
  if (found !== undefined) {
    if (decodeXml(found.raw) !== value) found.raw = encodeXmlAttribute(value, found.quote);
    return;
  }
  const last = element.attributes[element.attributes.length - 1];
  const quote = last?.quote ?? '"';
  element.attributes.push({
    lead: last !== undefined && element.attributes.length > 1 ? last.lead : " ",
    name,
    equals: last?.equals ?? "=",
    quote,
    raw: encodeXmlAttribute(value, quote),
  });
}

/** Takes an element out with the blanks before it; comments stay. A parent that has nothing left is written `<a/>` again. */
function removeElement(nodes: XmlNode[], parent: XmlElement | undefined, element: XmlElement): void {
  const children = parent?.children ?? nodes;
  const at = children.indexOf(element);
  const before = children[at - 1];
  const after = children[at + 1];
  children.splice(at, 1);
  const blank = before?.is === "text" && before.raw.trim() === "";
  if (parent !== undefined && blank && children.every((node) => node.is === "text" && node.raw.trim() === "")) {
    children.splice(0);
    parent.closed = true;
    parent.space = closedSpace(nodes, parent);
  } else if (before?.is === "text") {
    const kept = before.raw.replace(/\r?\n[ \t]*$/, "");
    const ownLine = kept !== before.raw && (after === undefined || (after.is === "text" && /^[ \t]*\r?\n/.test(after.raw)));
    if (ownLine) before.raw = kept;
  }
}

/** The blanks before `/>` that the text has in elements with, or without, attributes. */
function closedSpace(nodes: readonly XmlNode[], like: XmlElement): string {
  return firstClosed(nodes, like.attributes.length > 0, like)?.space ?? "";
}

function firstClosed(nodes: readonly XmlNode[], attributes: boolean, except: XmlElement): XmlElement | undefined {
  for (const node of nodes) {
    if (node.is !== "element") continue;
    if (node.closed && node !== except && node.attributes.length > 0 === attributes && !node.space.includes("\n")) return node;
    const inner = firstClosed(node.children, attributes, except);
    if (inner !== undefined) return inner;
  }
  return undefined;
}

function refuseName(name: string): void {
  if (!nameRule.test(name))
    throw new FormatError(
      `${JSON.stringify(name)} cannot be a name in XML`,
      nowhere,
      "Use letters, digits, `_`, `-`, `.` and `:`, and no digit first.",
    );
}

/** The indent of the first child element that has one. */
function unitOf(nodes: readonly XmlNode[]): string | undefined {
  const root = nodes.find((node) => node.is === "element");
  const first = root?.is === "element" ? root.children.find((node) => node.is === "text") : undefined;
  const unit = first?.is === "text" ? /\n([ \t]+)$/.exec(first.raw)?.[1] : undefined;
  return unit;
}

function admitXml(value: FormatJson, path: KeyPath): FormatJson {
  const fail = (message: string, mend: string): FormatError => new FormatError(`${formatKeyPath(path)}: ${message}`, nowhere, mend);
  const attribute = typeof path[path.length - 1] === "string" && (path[path.length - 1] as string).startsWith("@");
  const text = scalarText(value);
  if (text !== undefined) {
    if (/[\u0000-\u0008\u000b\u000c\u000e-\u001f\ufffe\uffff]|\p{Surrogate}/u.test(text))
      throw fail("XML cannot hold a control character", "Set a text without it.");
    return text;
  }
  if (value === null) throw fail("XML has no null", "Unset the path, or set an empty text.");
  if (attribute) throw fail("an attribute holds a text", "Set a text, a number or a boolean.");
  if (isList(value)) {
    if (value.length === 0) throw fail("elements of which there are none are no elements", "Unset the path instead.");
    const items = value.map((item) => admitXml(item, path));
    if (items.some(isList)) throw fail("a list within a list has no name for its elements", "Set a list of texts or maps.");
    return items.length === 1 ? (items[0] as FormatJson) : items;
  }
  if (!isMap(value)) return value as FormatJson;
  if (Object.hasOwn(value, "#text"))
    throw fail(
      "text mixed with attributes or elements cannot be set as a map",
      "Set the text at the element, and attributes by paths that end in `.@name`.",
    );
  return mapOf(Object.entries(value).map(([key, inner]) => [key, admitXml(inner, [...path, key])]));
}
