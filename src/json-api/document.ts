import { createHash } from 'node:crypto'

/** `{type, id}`: which resource is meant. */
export type Identifier = { type: string; id: string }

/** A resource object (JSON:API 1.1, "Resource Objects"). */
export type ResourceObject = Identifier & {
  attributes: Record<string, unknown>
  relationships?: Record<string, { data: Identifier | null }>
  links: { self: string }
  meta?: Record<string, unknown>
}

/** A document as it is answered; `jsonapi` is added when it is written. */
export type Document = {
  data?: Partial<ResourceObject> | Partial<ResourceObject>[]
  errors?: unknown[]
  included?: Partial<ResourceObject>[]
  links?: Record<string, string | null>
  meta?: Record<string, unknown>
}

/** The one writer of documents. */
export function answer(status: number, document: Document, headers: Record<string, string> = {}): Response {
  return new Response(JSON.stringify({ jsonapi: { version: '1.1' }, ...document }), {
    status,
    headers: {
      'Content-Type': 'application/vnd.api+json',
      'Cache-Control': 'private, no-cache',
      Vary: 'Accept, Authorization',
      ...headers,
    },
  })
}

/** An entity tag of two parts: what a resource is, which If-Match compares, and the whole document, which
 * If-None-Match compares (`meta`, `included` and `fields` change a document but not its resource). Attributes shown
 * `once` are no part of what it is. */
export const entityTag = (
  object: ResourceObject,
  document: Document,
  once: readonly string[] | undefined,
): string => `"${resourceTag(object, once)}-${digest(document)}"`

/** Whether an If-Match header allows a change of a resource as it is now (RFC 9110, 13.1.1). */
export const matches = (header: string | undefined, object: ResourceObject): boolean =>
  header === undefined ||
  header.trim() === '*' ||
  tagsOf(header).some((tag) => tag.startsWith(`"${resourceTag(object)}-`))

/** Whether an If-None-Match header names the document that would be answered (RFC 9110, 13.1.2). */
export const isKnown = (header: string | undefined, tag: string): boolean =>
  header !== undefined && (header.trim() === '*' || tagsOf(header.replaceAll('W/', '')).includes(tag))

function resourceTag({ attributes, relationships }: ResourceObject, once: readonly string[] = []): string {
  const lasting = Object.entries(attributes).filter(([name]) => !once.includes(name))
  return digest({ attributes: Object.fromEntries(lasting), relationships })
}

const digest = (value: unknown) =>
  createHash('sha256').update(JSON.stringify(value)).digest('base64url').slice(0, 16)
const tagsOf = (header: string) => header.split(',').map((tag) => tag.trim())

/** A resource object as the audit trail keeps it. */
export function withoutSecrets(object: ResourceObject | null, secrets: readonly string[]) {
  if (object === null) return null
  const { type, id, attributes, relationships } = object
  const shown = Object.entries(attributes).filter(([name]) => !secrets.includes(name))
  return { type, id, attributes: Object.fromEntries(shown), ...(relationships && { relationships }) }
}
