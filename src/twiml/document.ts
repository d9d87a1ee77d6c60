import { XMLParser, XMLValidator } from 'fast-xml-parser'

/** An element of a TwiML document: what it holds in order, and the line on which it opens. */
export type Element = {
  name: string
  attributes: ReadonlyMap<string, string>
  content: readonly (Element | string)[]
  line: number
}

/** What is wrong with a document, and where; `verb` is the element, when there is one to blame. */
export type Problem = { message: string; line: number; verb: string | null }

/** Twilio's own limit for a TwiML document. */
export const mostBytes = 64 * 1024

/** A text as its one root element, or the first thing that is wrong with it as XML. DOCTYPE is refused: nothing in
 * TwiML needs it, and entities come in by it. */
export function readDocument(text: string): { root: Element } | { problem: Problem } {
  const problem = refusedText(text) ?? malformed(text)
  if (problem !== null) return { problem }
  try {
    const roots = elementsOf(toContent(parser.parse(text), lineCounter(text)))
    const [root, second] = roots
    if (root === undefined) return { problem: problemAt(1, 'The document has no element.') }
    if (second) return { problem: problemAt(second.line, 'The document has a second root element.') }
    return { root }
  } catch (error) {
    return { problem: problemAt(1, `The document is not well-formed: ${(error as Error).message}.`) }
  }
}

/** The elements among a content. */
export function elementsOf(content: Element['content']): Element[] {
  return content.filter((node) => typeof node !== 'string')
}

/** The text of an element and of all that it holds, blanks folded into one, control characters taken out. */
export function textOf(element: Element): string {
  return rawText(element)
    .replace(/[\s\p{Cc}\u2028\u2029]+/gu, ' ')
    .trim()
}

function rawText(element: Element): string {
  return element.content.map((node) => (typeof node === 'string' ? node : rawText(node))).join('')
}

// XML allows no control characters but tab and line ends, not even as references.
const forbidden = /[^\P{Cc}\t\n\r\u007f-\u009f]|[\ufffe\uffff]/u

function refusedText(text: string): Problem | null {
  if (Buffer.byteLength(text) > mostBytes) return problemAt(1, 'The document is longer than 64 KB.')
  if (text.trim() === '') return problemAt(1, 'The document is empty.')
  const control = text.search(forbidden)
  if (control !== -1)
    return problemAt(lineCounter(text)(control), 'The document has a character that XML forbids.')
  const doctype = indexOfDoctype(text)
  if (doctype === -1) return null
  return problemAt(lineCounter(text)(doctype), 'A document type (DOCTYPE) is not allowed.')
}

// Comments and CDATA are stepped over: in them the word means nothing. One without an end runs to the end of the text,
// so that no text makes this look at a character twice.
function indexOfDoctype(text: string): number {
  const matches = text.matchAll(/<!--[\s\S]*?(?:-->|$)|<!\[CDATA\[[\s\S]*?(?:\]\]>|$)|<!(?:DOCTYPE|ENTITY)/gi)
  for (const match of matches) if (/^<![DE]/i.test(match[0])) return match.index
  return -1
}

function malformed(text: string): Problem | null {
  const result = XMLValidator.validate(text)
  if (result === true) return null
  const { msg, line } = result.err
  return problemAt(line, `The document is not well-formed: ${msg.slice(0, 200)}`)
}

const attributesKey = ':@'
const textKey = '#text'
const parser = new XMLParser({
  preserveOrder: true,
  captureMetaData: true,
  ignoreAttributes: false,
  attributeNamePrefix: '',
  textNodeName: textKey,
  ignoreDeclaration: true,
  ignorePiTags: true,
  parseTagValue: false,
  parseAttributeValue: false,
  trimValues: false,
  htmlEntities: true,
  maxNestedTags: 20,
})
// Declared as the object type Symbol, which is no key.
const position = XMLParser.getMetaDataSymbol() as symbol

type Node = Record<string, unknown> & Record<symbol, { startIndex?: number } | undefined>
type LineAt = (index: number) => number

function toContent(nodes: Node[], lineAt: LineAt): Element['content'] {
  return nodes.map((node) => (textKey in node ? String(node[textKey]) : toElement(node, lineAt)))
}

function toElement(node: Node, lineAt: LineAt): Element {
  const name = Object.keys(node).find((key) => key !== attributesKey) ?? ''
  const attributes = Object.entries((node[attributesKey] ?? {}) as Record<string, string>)
  return {
    name,
    attributes: new Map(attributes.map(([key, value]) => [key, value.trim()])),
    content: toContent(node[name] as Node[], lineAt),
    line: lineAt(node[position]?.startIndex ?? 0),
  }
}

// The number of the line that a character stands in: the line ends before it, found by halving.
function lineCounter(text: string): LineAt {
  const ends = [...text.matchAll(/\r\n|\r|\n/g)].map((match) => match.index)
  return (index) => {
    let [low, high] = [0, ends.length]
    while (low < high) {
      const middle = (low + high) >> 1
      if ((ends[middle] ?? 0) < index) low = middle + 1
      else high = middle
    }
    return low + 1
  }
}

function problemAt(line: number, message: string): Problem {
  return { message, line, verb: null }
}
