import type { Context } from 'hono'
import { type ApiError, malformed } from './error.ts'
import { carriesJson } from './media-type.ts'

/** A JSON object whose members nobody has checked. */
export type Members = Readonly<Record<string, unknown>>

/** The primary data of a request document: a resource object, as far as it could be one. */
export type RequestData = {
  type: string
  id: string | undefined
  attributes: Members
  relationships: Members
}

/** Where no document needs more, and no parser comes to harm. */
export const bodyLimitBytes = 256 * 1024
const deepest = 32

/** Reads the resource object out of a request, or tells all that makes it none. */
export async function readData(c: Context): Promise<RequestData | ApiError[]> {
  if (!carriesJson(c.req.header('content-type'))) return [unsupportedType]
  const text = await readText(c)
  if (typeof text !== 'string') return [text]
  if (depthOf(text) > deepest) return [malformed(`The document is nested more than ${deepest} levels deep.`)]
  const document = parse(text)
  if (!isObject(document)) return [malformed('The body must be a JSON object.')]
  const { data } = document
  if (!isObject(data))
    return [malformed('A document needs data: one resource object.', at('/data', document))]
  const { type, id, attributes = {}, relationships = {} } = data
  const errors = [
    ...(typeof type === 'string' ? [] : [malformed('data needs a type, a string.', at('/data/type', data))]),
    ...(id === undefined || typeof id === 'string' ? [] : [malformed('id must be a string.', '/data/id')]),
    ...(isObject(attributes) ? [] : [malformed('attributes must be an object.', '/data/attributes')]),
    ...(isObject(relationships)
      ? []
      : [malformed('relationships must be an object.', '/data/relationships')]),
  ]
  if (errors.length > 0 || typeof type !== 'string' || !isObject(attributes) || !isObject(relationships))
    return errors
  return { type, id: typeof id === 'string' ? id : undefined, attributes, relationships }
}

/** Whether a JSON value is an object and no array. */
export const isObject = (value: unknown): value is Members =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

const unsupportedType: ApiError = {
  status: 415,
  code: 'unsupported_media_type',
  title: 'unsupported media type',
  detail: 'Send application/vnd.api+json (or application/json).',
  source: { header: 'Content-Type' },
}

async function readText(c: Context): Promise<string | ApiError> {
  const bytes = new Uint8Array(await c.req.arrayBuffer())
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes)
  } catch {
    return malformed('The body is not UTF-8.')
  }
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

// A pointer must lead to a value that exists (JSON:API 1.1): to the missing member's parent where it does not.
const at = (pointer: string, parent: Members): string => {
  const cut = pointer.lastIndexOf('/')
  return Object.hasOwn(parent, pointer.slice(cut + 1)) ? pointer : pointer.slice(0, cut)
}

// How deep brackets nest outside strings, before a parser or a recursion goes there.
function depthOf(text: string): number {
  let depth = 0
  let most = 0
  let quoted = false
  for (let at = 0; at < text.length; at++) {
    const character = text[at]
    if (quoted && character === '\\') at += 1
    else if (character === '"') quoted = !quoted
    else if (!quoted && (character === '{' || character === '[')) most = Math.max(most, ++depth)
    else if (!quoted && (character === '}' || character === ']')) depth -= 1
  }
  return most
}
