import * as v from 'valibot'
import { type Issue, issue } from '../errors.ts'
import { unstorable } from './storable.ts'

/** One schema for each attribute, by its name on the wire: checks what comes in and describes it in OpenAPI. */
export type Entries = Record<string, v.GenericSchema>

/** Wire names whose field is called otherwise inside; all others are the same in camelCase. */
export type FieldNames = Readonly<Record<string, string>>

type Camel<Name> = Name extends `${infer Head}_${infer Tail}` ? `${Head}${Capitalize<Camel<Tail>>}` : Name
type Field<Name, Names> = Name extends keyof Names ? Names[Name] : Camel<Name>

/** The checked attributes, by field name: those that were given and are right. */
export type Values<E extends Entries, Names extends FieldNames = Record<never, never>> = {
  [Name in keyof E as Field<Name, Names> & string]?: v.InferOutput<E[Name]>
}

/** What attributes of a request are read with. `ignored` are the read-only ones: a document that was read can be sent
 * back as it is. */
export type AttributeReader<E extends Entries, Names extends FieldNames> = {
  entries: E
  fieldNames: Names
  required: readonly (keyof E & string)[]
  ignored: readonly string[]
}

/** Checks each attribute by itself, so that all issues come at once, each leading to its field. */
export function readAttributes<E extends Entries, Names extends FieldNames>(
  reader: AttributeReader<E, Names>,
  given: Readonly<Record<string, unknown>>,
): { values: Values<E, Names>; issues: Issue[] } {
  const { entries, fieldNames, required, ignored } = reader
  const issues = required
    .filter((name) => !Object.hasOwn(given, name))
    .map((name) => missing(name, fieldNames))
  const values: Record<string, unknown> = {}
  for (const [name, input] of Object.entries(given)) {
    const schema = Object.hasOwn(entries, name) ? entries[name] : undefined
    if (schema === undefined) {
      if (!ignored.includes(name) && !name.startsWith('@')) issues.push(unknownAttribute(name))
      continue
    }
    const field = fieldOf(name, fieldNames)
    const read = readAttribute(schema, name, input)
    if (read.type === 'read') values[field] = read.value
    else issues.push(...read.issues.map(({ path, ...rest }) => ({ ...rest, path: [field, ...path] })))
  }
  // The keys and values were just made from the entries; the compiler cannot follow computed keys.
  return { values: values as Values<E, Names>, issues }
}

// The field that a wire name means.
const fieldOf = (name: string, names: FieldNames): string =>
  (Object.hasOwn(names, name) ? names[name] : undefined) ??
  name.replace(/_([a-z])/g, (_, letter: string) => letter.toUpperCase())

/** JSON pointer of an issue's path (RFC 6901). A path that begins with `attributes` or `relationships` is in wire
 * names already. */
export function toPointer(path: Issue['path'], names: FieldNames): string {
  const [head = '', ...rest] = path
  const segments =
    head === 'attributes' || head === 'relationships'
      ? path
      : ['attributes', wireNameOf(String(head), names), ...rest]
  return `/data${segments.map((segment) => `/${String(segment).replaceAll('~', '~0').replaceAll('/', '~1')}`).join('')}`
}

function wireNameOf(field: string, names: FieldNames): string {
  const renamed = Object.entries(names).find(([, name]) => name === field)
  return renamed?.[0] ?? field.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)
}

const missing = (name: string, names: FieldNames) =>
  issue([fieldOf(name, names)], 'missing', 'is missing', `${name} is missing.`)

const unknownAttribute = (name: string) =>
  issue(['attributes', name], 'unknown', 'is not an attribute', `There is no attribute ${quote(name)} here.`)

function readAttribute(schema: v.GenericSchema, name: string, input: unknown) {
  const { mostItems } = v.getMetadata(schema)
  if (Array.isArray(input) && typeof mostItems === 'number' && input.length > mostItems)
    return { type: 'wrong', issues: [tooLong(name, mostItems)] } as const
  const bad = unstorable(input)
  if (bad !== null)
    return {
      type: 'wrong',
      issues: [issue(bad, 'invalid', 'is invalid', `${name} holds a character that is none.`)],
    } as const
  const read = v.safeParse(schema, input, { abortPipeEarly: true })
  if (read.success) return { type: 'read', value: read.output } as const
  return { type: 'wrong', issues: read.issues.map((found) => toIssue(name, found)) } as const
}

// Told before the items are looked at: a list of half a million would otherwise be checked, and refused, item by item.
function tooLong(name: string, most: number): Issue {
  const title = `size cannot be greater than ${most}`
  return issue([], 'too_long', title, `${name} ${title}.`)
}

function toIssue(name: string, found: v.BaseIssue<unknown>): Issue {
  const path = (found.path ?? []).map(({ key }) => (typeof key === 'number' ? key : String(key)))
  const { code, title } = word(found)
  const where = [name, ...path].join('/')
  const came = name === 'password' ? '' : received(found.input)
  return issue(path, code, title, `${where} ${title}${came}.`)
}

/** Title of what is empty. */
export const filled = 'must be filled'

// Titles as Somleng words them. A schema that has a message of its own speaks for itself.
function word({ type, input, message, requirement, expected }: v.BaseIssue<unknown>) {
  if (input === null || message === filled) return { code: 'blank', title: filled }
  const [code, title] = wordings[type]?.(String(requirement), expected ?? '') ?? ['invalid', message]
  return message.startsWith('Invalid ') ? { code, title } : { code, title: message }
}

const wordings: Record<string, (requirement: string, expected: string) => [code: string, title: string]> = {
  string: () => ['type', 'must be a string'],
  boolean: () => ['type', 'must be boolean'],
  number: () => ['type', 'must be a number'],
  integer: () => ['type', 'must be an integer'],
  array: () => ['type', 'must be an array'],
  object: () => ['type', 'must be an object'],
  max_length: (most) => ['too_long', `size cannot be greater than ${most}`],
  min_length: (least) => ['too_short', `size cannot be less than ${least}`],
  min_value: (least) => ['too_small', `must be greater than or equal to ${least}`],
  gt_value: (least) => ['too_small', `must be greater than ${least}`],
  max_value: (most) => ['too_large', `must be less than or equal to ${most}`],
  picklist: (_, expected) => [
    'not_in_list',
    `must be one of: ${expected.replace(/[()"]/g, '').replaceAll(' | ', ', ')}`,
  ],
}

function received(input: unknown): string {
  if (input === null || typeof input === 'object') return ''
  const text = quote(input)
  return `; got ${text.length > 80 ? `${text.slice(0, 80)}…` : text}`
}

const quote = (value: unknown) => JSON.stringify(value) ?? typeof value
