import {
  type Description,
  type Example,
  inputSchema,
  type JsonSchema,
  outputSchema,
  relationshipsSchema,
  toSchema,
} from './describe.ts'
import { mediaType } from './media-type.ts'

/** A JSON:API with its resources, as far as OpenAPI tells of it. */
export type DescribedApi = { basePath: string; security: string; resources: readonly Description[] }

/** Paths and components of an OpenAPI document. */
export type OpenApiParts = { paths: Record<string, JsonSchema>; schemas: Record<string, JsonSchema> }

/** Describes all resources of an API: their paths, and the schemas of what goes in and out. */
export function describeApi(api: DescribedApi): OpenApiParts {
  const parts = api.resources.map((resource) => describeResource(api, resource))
  return {
    paths: Object.assign({}, ...parts.map(({ paths }) => paths)),
    schemas: Object.assign({}, ...parts.map(({ schemas }) => schemas)),
  }
}

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

function describeResource(api: DescribedApi, resource: Description): OpenApiParts {
  const { type, path, methods } = resource
  const collection = `${api.basePath}/${path}`
  const operations = operationsOf(api, resource)
  return {
    paths: {
      [collection]: {
        ...(methods.read && { get: operations.list }),
        ...(methods.create && { post: operations.create }),
      },
      ...(methods.read && {
        [`${collection}/{id}`]: {
          get: operations.show,
          ...(methods.update && { patch: operations.update }),
          ...(methods.remove && { delete: operations.remove }),
        },
      }),
    },
    schemas: {
      [type]: resourceSchema(resource),
      ...(methods.create && { [`${type}_create`]: requestSchema(resource, true) }),
      ...(methods.update && { [`${type}_update`]: requestSchema(resource, false) }),
    },
  }
}

function operationsOf({ security }: DescribedApi, resource: Description) {
  const { type, path, description, example } = resource
  const operation = (verb: string, rest: JsonSchema): JsonSchema => ({
    operationId: `${verb}_${verb === 'list' ? path : type}`,
    summary: `${verb[0]?.toUpperCase()}${verb.slice(1)} ${verb === 'list' ? path : type}`,
    tags: [path],
    security: [{ [security]: [] }, { [`${security}Basic`]: [] }],
    ...rest,
  })
  const view = viewParameters(resource)
  const one = { data: { $ref: `#/components/schemas/${type}` } }
  const saved = { ...failures(400, 401, 403, 404, 409, 412, 415, 422) }
  return {
    list: operation('list', {
      description,
      parameters: [...listParameters(resource), ...view],
      responses: {
        200: answered('One page.', { data: { type: 'array', items: one.data }, links: linksSchema }),
        ...failures(400, 401, 406),
      },
    }),
    create: operation('create', {
      parameters: view,
      requestBody: body(resource, 'create', example),
      // What is stored nowhere is answered, not created.
      responses: {
        ...(resource.methods.read ? { 201: answered('Created.', one) } : { 200: answered('Done.', one) }),
        ...saved,
      },
    }),
    show: operation('show', {
      parameters: [idParameter, ...view],
      responses: { 200: answered('The resource.', one), ...failures(400, 401, 404, 406) },
    }),
    update: operation('update', {
      parameters: [idParameter, ifMatch, ...view],
      requestBody: body(resource, 'update', example),
      responses: { 200: answered('Changed.', one), ...saved },
    }),
    remove: operation('remove', {
      parameters: [idParameter, ifMatch],
      responses: { 204: { description: 'Gone.' }, ...failures(401, 404, 412, 422) },
    }),
  }
}

const idParameter = {
  name: 'id',
  in: 'path',
  required: true,
  schema: { type: 'string', format: 'uuid' },
  example: '3f1e6c1a-6c0b-4f0e-9a3e-0a8b2f7d5c11',
}
const ifMatch = {
  name: 'If-Match',
  in: 'header',
  description: 'ETag of the resource as you know it; if it has changed since, the answer is 412.',
  schema: { type: 'string' },
}
const linksSchema = {
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

const listParameters = ({ filters, sort }: Description): JsonSchema[] => [
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
    `Comma-separated: ${sort.join(', ')}; \`-\` first is descending. Without it: newest first.`,
  ),
  ...Object.entries(filters).map(([name, { schema, description }]) =>
    queryParameter(`filter[${name}]`, toSchema(schema), description),
  ),
]

const viewParameters = ({ type, relationships }: Description): JsonSchema[] => [
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

const answered = (description: string, properties: Record<string, JsonSchema>): JsonSchema => ({
  description,
  content: {
    [mediaType]: { schema: { type: 'object', required: ['data'], properties } },
  },
})

const failures = (...statuses: number[]): JsonSchema =>
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
  415: 'Unsupported media type.',
  422: 'Rules are broken: all of them, each with its pointer.',
}

function body(
  { type, relationships }: Description,
  kind: 'create' | 'update',
  example?: Example,
): JsonSchema {
  const links = Object.entries(example?.links ?? {}).map(([name, id]) => [
    name,
    { data: { type: relationships[name]?.type, id } },
  ])
  const value = {
    data: {
      type,
      ...(kind === 'update' && { id: idParameter.example }),
      attributes: example?.[kind],
      ...(kind === 'create' && links.length > 0 && { relationships: Object.fromEntries(links) }),
    },
  }
  const schema = { $ref: `#/components/schemas/${type}_${kind}` }
  return { required: true, content: { [mediaType]: { schema, ...(example && { example: value }) } } }
}

function requestSchema(resource: Description, isNew: boolean): JsonSchema {
  const relationships = relationshipsSchema(
    resource,
    ({ writable }) => writable === 'always' || (isNew && writable === 'create'),
  )
  return {
    type: 'object',
    required: ['data'],
    properties: {
      data: {
        type: 'object',
        required: isNew ? ['type', 'attributes'] : ['type', 'id'],
        properties: {
          type: { const: resource.type },
          ...(!isNew && { id: { type: 'string', format: 'uuid' } }),
          attributes: inputSchema(resource, isNew),
          ...(relationships && { relationships }),
        },
      },
    },
  }
}

function resourceSchema(resource: Description): JsonSchema {
  const relationships = relationshipsSchema(resource, () => true)
  return {
    type: 'object',
    description: resource.description,
    required: ['type', 'id', 'attributes'],
    properties: {
      type: { const: resource.type },
      id: { type: 'string', format: 'uuid' },
      attributes: outputSchema(resource),
      ...(relationships && { relationships }),
      links: { type: 'object', properties: { self: { type: 'string', format: 'uri' } } },
      meta: { type: 'object' },
    },
  }
}
