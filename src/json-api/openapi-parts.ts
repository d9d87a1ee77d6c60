import { type Description, type JsonSchema, toSchema } from './describe.ts'
import { mediaType } from './media-type.ts'

/** Schemas that every API has. */
export const sharedSchemas: Record<string, JsonSchema> = {
  errors: {
    type: 'object',
    required: ['errors'],
    properties: {
      jsonapi: { type: 'object' },
      errors: {
        type: 'array',
        minItems: 1,
        items: {
          type: 'object',
          required: ['status', 'code', 'title', 'detail'],
          properties: {
            status: { type: 'string' },
            code: { type: 'string' },
            title: { type: 'string' },
            detail: { type: 'string' },
            source: {
              type: 'object',
              properties: {
                pointer: { type: 'string' },
                parameter: { type: 'string' },
                header: { type: 'string' },
              },
            },
          },
        },
      },
    },
  },
}

/** `{id}` of a path. */
export const idParameter = {
  name: 'id',
  in: 'path',
  required: true,
  schema: { type: 'string', format: 'uuid' },
  example: '3f1e6c1a-6c0b-4f0e-9a3e-0a8b2f7d5c11',
}

/** The header that guards a change. */
export const ifMatch = {
  name: 'If-Match',
  in: 'header',
  description: 'ETag of the resource as you know it; if it has changed since, the answer is 412.',
  schema: { type: 'string' },
}

/** The links of a list. */
export const linksSchema = {
  type: 'object',
  properties: Object.fromEntries(
    ['self', 'first', 'prev', 'next'].map((name) => [name, { type: ['string', 'null'] }]),
  ),
}

const queryParameter = (name: string, schema: JsonSchema, description: string): JsonSchema => ({
  name,
  in: 'query',
  description,
  schema,
})

/** What a list can be asked for. */
export const listParameters = ({ filters, sort }: Description): JsonSchema[] => [
  queryParameter(
    'page[size]',
    { type: 'integer', minimum: 1, maximum: 100, default: 20 },
    'Resources on a page.',
  ),
  queryParameter('page[after]', { type: 'string' }, 'Cursor (from links.next) or id to begin after.'),
  queryParameter('page[before]', { type: 'string' }, 'Cursor (from links.prev) or id to end before.'),
  queryParameter(
    'sort',
    { type: 'string' },
    `Comma-separated, each once: ${sort.join(', ')}; \`-\` first is descending. Without it: newest first.`,
  ),
  ...Object.entries(filters).map(([name, { schema, description }]) =>
    queryParameter(`filter[${name}]`, toSchema(schema), description),
  ),
]

/** What any document can be asked for. */
export const viewParameters = ({ type, relationships }: Description): JsonSchema[] => [
  queryParameter(`fields[${type}]`, { type: 'string' }, 'Only these fields, comma-separated.'),
  ...(Object.keys(relationships).length === 0
    ? []
    : [
        queryParameter(
          'include',
          { type: 'string' },
          `Comma-separated: ${Object.keys(relationships).join(', ')}.`,
        ),
      ]),
]

/** A successful answer. */
export const answered = (description: string, properties: Record<string, JsonSchema>): JsonSchema => ({
  description,
  content: {
    [mediaType]: { schema: { type: 'object', required: ['data'], properties } },
  },
})

/** Answers with errors. */
export const failures = (...statuses: number[]): JsonSchema =>
  Object.fromEntries(
    statuses.map((status) => [
      status,
      {
        description: meanings[status],
        content: { [mediaType]: { schema: { $ref: '#/components/schemas/errors' } } },
      },
    ]),
  )

const meanings: Record<number, string> = {
  400: 'The document or a query parameter cannot be understood.',
  401: 'No valid token.',
  403: 'Not offered.',
  404: 'There is nothing here.',
  406: 'No acceptable media type.',
  409: 'The type or id of the document is another.',
  412: 'Changed meanwhile.',
  413: 'The document is too large.',
  415: 'Unsupported media type.',
  422: 'Rules are broken: all of them, each with its pointer.',
}
