import type { Issue } from '../errors.ts'
import {
  type AttributeReader,
  type Entries,
  type FieldNames,
  readAttributes,
  type Values,
} from './attribute.ts'
import type { RequestData } from './body.ts'
import { type ApiError, malformed } from './error.ts'
import { type Links, type Relationship, readLinks } from './link.ts'

/** What a request wants of a resource: checked attributes by field name, linkages, and all that is wrong with it
 * already. A deed given issues must save nothing and give them back with its own. */
export type Draft<E extends Entries, Names extends FieldNames> = {
  values: Values<E, Names>
  links: Links
  issues: readonly Issue[]
}

/** What a draft is read with. */
export type Form<Row, E extends Entries, Names extends FieldNames> = AttributeReader<E, Names> & {
  type: string
  path: string
  relationships: Readonly<Record<string, Relationship<Row>>>
}

/** The draft of a new resource, or why the document is for none. */
export function draftNew<Row, E extends Entries, Names extends FieldNames>(
  form: Form<Row, E, Names>,
  data: RequestData,
): Draft<E, Names> | ApiError[] {
  if (!isOfType(form, data)) return [wrongType(form)]
  if (data.id !== undefined) return [clientGeneratedId]
  return toDraft(form, null, data)
}

/** The draft of a change of a row, or why the document is for another. */
export function draftChange<Row extends { id: string }, E extends Entries, Names extends FieldNames>(
  form: Form<Row, E, Names>,
  row: Row,
  data: RequestData,
): Draft<E, Names> | ApiError[] {
  if (!isOfType(form, data)) return [wrongType(form)]
  if (data.id === undefined) return [malformed('data needs the id of the resource.', '/data')]
  if (data.id.toLowerCase() !== row.id) return [wrongId]
  return toDraft({ ...form, required: [] }, row, data)
}

function toDraft<Row, E extends Entries, Names extends FieldNames>(
  form: Form<Row, E, Names>,
  row: Row | null,
  data: RequestData,
): Draft<E, Names> | ApiError[] {
  const { links, issues: linkIssues, errors } = readLinks(form.relationships, row, data.relationships)
  const { values, issues } = readAttributes(form, data.attributes)
  return errors.length > 0 ? errors : { values, links, issues: [...issues, ...linkIssues] }
}

// Clients that make the type from the path send it in the plural.
const isOfType = ({ type, path }: { type: string; path: string }, data: RequestData) =>
  data.type === type || data.type === path

const conflict = (pointer: string, detail: string): ApiError => ({
  status: 409,
  code: 'conflict',
  title: 'conflict',
  detail,
  source: { pointer },
})
const wrongType = ({ type }: { type: string }) =>
  conflict('/data/type', `Resources here have the type ${type}.`)
const wrongId = conflict('/data/id', 'The document is for another resource than the path.')

const clientGeneratedId: ApiError = {
  status: 403,
  code: 'client_generated_id',
  title: 'client-generated ids are not supported',
  detail: 'Leave id out; the answer has it.',
  source: { pointer: '/data/id' },
}
