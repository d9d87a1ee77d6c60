import { type Issue, issue } from '../errors.ts'
import { isUuid } from '../sid.ts'
import { isObject, type Members } from './body.ts'
import { type ApiError, malformed } from './error.ts'

/** A to-one relationship: which type, and which one a row points at. */
export type Relationship<Row> = {
  type: string
  id: (row: Row) => string | null
  /** Whether a request may set it: never, when the resource is created, or always. */
  writable?: 'create' | 'always'
  required?: boolean
  description: string
}

/** Linkages by relationship name: the id of the other end, or null for none. */
export type Links = Readonly<Record<string, string | null>>

/** Checks the relationships of a resource object; `row` is the resource as it is, null for a new one. */
export function readLinks<Row>(
  relationships: Readonly<Record<string, Relationship<Row>>>,
  row: Row | null,
  given: Members,
): { links: Links; issues: Issue[]; errors: ApiError[] } {
  const links: Record<string, string | null> = {}
  const issues = row === null ? findMissing(relationships, given) : []
  const errors: ApiError[] = []
  for (const [name, member] of Object.entries(given)) {
    if (name.startsWith('@')) continue
    const relationship = Object.hasOwn(relationships, name) ? relationships[name] : undefined
    const read = relationship === undefined ? unknown(name) : readLink(name, relationship, row, member)
    if ('error' in read) errors.push(read.error)
    else if ('issue' in read) issues.push(read.issue)
    else links[name] = read.id
  }
  return { links, issues, errors }
}

type Read = { id: string | null } | { issue: Issue } | { error: ApiError }

function readLink<Row>(
  name: string,
  { type, id: idOf, writable, required }: Relationship<Row>,
  row: Row | null,
  member: unknown,
): Read {
  const at = ['relationships', name]
  const pointer = `/data/relationships/${name}`
  if (!isObject(member) || !Object.hasOwn(member, 'data'))
    return { error: malformed(`${name} needs data.`, pointer) }
  const { data } = member
  if (data !== null && !(isObject(data) && typeof data.type === 'string' && typeof data.id === 'string'))
    return { error: malformed(`${name} must be null or have type and id.`, `${pointer}/data`) }
  const id = data === null ? null : String(data.id).toLowerCase()
  if (row !== null && writable !== 'always' && id !== idOf(row)) return { error: cannotMove(name, pointer) }
  if (data === null)
    return required ? { issue: issue(at, 'blank', 'must be filled', `${name} must be filled.`) } : { id }
  if (data.type !== type && data.type !== `${type}s`)
    return { issue: issue([...at, 'data', 'type'], 'invalid', 'is invalid', `${name} leads to a ${type}.`) }
  return id !== null && isUuid(id) ? { id } : { issue: unknownTarget(name) }
}

/** What to say of a relationship that leads to what does not exist, or is not the asker's. */
export const unknownTarget = (name: string): Issue => ({
  ...issue(['relationships', name, 'data'], 'not_found', 'not found', `${name} does not exist.`),
  reason: 'not found',
})

const findMissing = (relationships: Readonly<Record<string, { required?: boolean }>>, given: Members) =>
  Object.entries(relationships)
    .filter(([name, { required }]) => required && !Object.hasOwn(given, name))
    .map(([name]) => issue(['relationships', name], 'missing', 'is missing', `${name} is missing.`))

const unknown = (name: string): Read => ({
  issue: issue(['relationships', name], 'unknown', 'is not a relationship', 'There is none of this name.'),
})

const cannotMove = (name: string, pointer: string): ApiError => ({
  status: 403,
  code: 'forbidden',
  title: 'cannot be updated',
  detail: `${name} cannot be changed.`,
  source: { pointer },
})
