import { toJsonSchema } from '@valibot/to-json-schema'
import * as v from 'valibot'
import type { Entries } from './attribute.ts'
import type { Filter } from './filter.ts'

/** A JSON Schema (2020-12), as OpenAPI 3.1 has it. */
export type JsonSchema = Record<string, unknown>

/** A relationship as OpenAPI describes it. */
export type DescribedRelationship = {
  type: string
  writable?: 'create' | 'always'
  required?: boolean
  description: string
}

/** What a request looks like, for people; tests send it. */
export type Example = {
  create: Record<string, unknown>
  update: Record<string, unknown>
  /** Ids by relationship. */
  links?: Record<string, string>
}

/** All that OpenAPI tells of a resource. */
export type Description = {
  type: string
  path: string
  description: string
  entries: Entries
  required: readonly string[]
  answered: Entries
  relationships: Readonly<Record<string, DescribedRelationship>>
  filters: Readonly<Record<string, Filter>>
  sort: readonly string[]
  methods: { read: boolean; create: boolean; update: boolean; remove: boolean }
  example?: Example
}

/** The JSON Schema of what a valibot schema lets in: the same schema that checks requests. */
export function toSchema(schema: v.GenericSchema): JsonSchema {
  const { $schema: _, ...converted } = toJsonSchema(schema, {
    target: 'draft-2020-12',
    typeMode: 'input',
    errorMode: 'ignore',
    overrideSchema: ({ valibotSchema, jsonSchema }) =>
      valibotSchema.type === 'custom' ? { ...jsonSchema, type: 'object' } : undefined,
  })
  const description = v.getDescription(schema)
  return { ...converted, ...(description !== undefined && { description }) }
}

/** The attributes of a resource as they are sent, all required ones demanded of a new resource. */
export function inputSchema({ entries, required }: Description, isNew: boolean): JsonSchema {
  return {
    type: 'object',
    properties: Object.fromEntries(Object.entries(entries).map(([name, schema]) => [name, toSchema(schema)])),
    ...(isNew && required.length > 0 && { required }),
  }
}

/** The attributes of a resource as they are answered. */
export function outputSchema({ entries, answered }: Description): JsonSchema {
  const all = { ...entries, ...answered }
  return {
    type: 'object',
    properties: Object.fromEntries(Object.entries(all).map(([name, schema]) => [name, toSchema(schema)])),
    additionalProperties: false,
  }
}

/** The relationships of a resource, those that may be written or all. */
export function relationshipsSchema(
  { relationships }: Description,
  isShown: (relationship: DescribedRelationship) => boolean,
): JsonSchema | null {
  const shown = Object.entries(relationships).filter(([, relationship]) => isShown(relationship))
  if (shown.length === 0) return null
  return {
    type: 'object',
    properties: Object.fromEntries(
      shown.map(([name, { type, required, description }]) => [
        name,
        { type: 'object', required: ['data'], description, properties: { data: linkage(type, required) } },
      ]),
    ),
  }
}

function linkage(type: string, required = false): JsonSchema {
  const identifier = {
    type: 'object',
    required: ['type', 'id'],
    properties: { type: { const: type }, id: { type: 'string', format: 'uuid' } },
  }
  return required ? identifier : { anyOf: [identifier, { type: 'null' }] }
}
