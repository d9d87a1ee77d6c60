import type { Action } from '../dialplan-action.ts'

// The only place where XML for FreeSWITCH is written. FreeSWITCH does not parse a fetched document at once: it first
// runs a line preprocessor over it (freeswitch.md 1.6) that executes X-PRE-PROCESS, replaces $${…} as raw text, and
// drops every line that holds `<?` or `x-pre-process`. So each element stands on a line of its own, there is no
// XML declaration, and no text of a value can look like any of these.

const control = /\p{Cc}|\ufffe|\uffff/gu
const loneSurrogate = /[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/g
const preprocessor = /x-pre-process/gi
const special = /[&<>"'$\t\n\r]/g

/** A value that FreeSWITCH's own configuration decides: printed as `$${name}`, which only this type can do. */
export type Global = { readonly global: 'sip_ip' | 'rtp_ip' | 'sip_port' | 'ext_sip_ip' | 'ext_rtp_ip' }

/** An element: its name, its attributes in order, its children. There is no text content in what FreeSWITCH reads. */
export type Element = {
  readonly name: string
  readonly attributes: Readonly<Record<string, string | Global>>
  readonly children: readonly Element[]
}

/** An element from its parts. */
export function element(
  name: string,
  attributes: Element['attributes'],
  children: readonly Element[] = [],
): Element {
  return { name, attributes, children }
}

/** `<param name value/>`, as most of FreeSWITCH's configuration is written. */
export const param = (name: string, value: string | Global): Element => element('param', { name, value })

/** A whole document with one section. */
export function printDocument(section: string, children: readonly Element[]): string {
  const root = element('document', { type: 'freeswitch/xml' }, [
    element('section', { name: section }, children),
  ])
  return print(root)
}

/** The answer that makes FreeSWITCH ask the next binding, then its static files (freeswitch.md 1.3). */
export const notFoundDocument = printDocument('result', [element('result', { status: 'not found' })])

/** A dialplan of one extension that runs these actions; the context must be the call's own (freeswitch.md 4.1). */
export function dialplanDocument(context: string, actions: readonly Action[]): string {
  const steps = actions.map(({ application, data }) => element('action', { application, data }))
  const extension = element('extension', { name: 'call' }, [element('condition', {}, steps)])
  return printDocument('dialplan', [element('context', { name: context }, [extension])])
}

/** Prints an element and all below it, one tag a line. */
export function print({ name, attributes, children }: Element): string {
  if (children.length === 0) return `<${name}${printAttributes(attributes)}/>\n`
  return `${printOpening(name, attributes)}${children.map(print).join('')}${printClosing(name)}`
}

/** The opening tag alone, for a document that is sent in pieces. */
export function printOpening(name: string, attributes: Element['attributes']): string {
  return `<${name}${printAttributes(attributes)}>\n`
}

/** The closing tag alone. */
export function printClosing(name: string): string {
  return `</${name}>\n`
}

function printAttributes(attributes: Element['attributes']): string {
  return Object.entries(attributes)
    .map(([name, value]) => ` ${name}="${typeof value === 'string' ? quote(value) : `$\${${value.global}}`}"`)
    .join('')
}

// `$` as a reference keeps the preprocessor from seeing $${…}; the XML parser gives it back as it was.
function quote(value: string): string {
  return value
    .replace(control, (character) => (/[\t\n\r\u0080-\u009f]/.test(character) ? character : ''))
    .replace(loneSurrogate, '')
    .replace(special, (character) => `&#${character.charCodeAt(0)};`)
    .replace(preprocessor, (text) => text.replaceAll('-', '&#45;'))
}
