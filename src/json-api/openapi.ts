import {
  type Description,
  type Example,
  inputSchema,
  type JsonSchema,
  outputSchema,
  relationshipsSchema,
} from './describe.ts'
import { mediaType } from './media-type.ts'
import {
  answered,
  failures,
  idParameter,
  ifMatch,
  linksSchema,
  listParameters,
  viewParameters,
} from './openapi-parts.ts'

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
  const saved = { ...failures(400, 401, 403, 404, 406, 409, 412, 413, 415, 422) }
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
