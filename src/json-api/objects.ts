import type { ResourceObject } from './document.ts'
import { findIncluded, type Loader } from './include.ts'
import type { View } from './query.ts'
import type { Api, Resource, Row, Scope } from './resource.ts'

/** Rows as resource objects with all their fields: the one serializer. */
export async function toObjects<R extends Row, S extends Scope>(
  resource: Resource<R, S>,
  api: Api<S>,
  scope: S,
  rows: readonly R[],
  alone = false,
): Promise<ResourceObject[]> {
  const { type, path, toAttributes, toMeta } = resource
  const meta = rows.length === 0 ? undefined : await toMeta?.(scope, rows, alone)
  return rows.map((row) => {
    const said = meta?.get(row.id)
    return {
      type,
      id: row.id,
      attributes: toAttributes(row, scope),
      ...toLinkage(resource, row),
      links: { self: `${api.url}/${path}/${row.id}` },
      ...(said === undefined ? {} : { meta: said }),
    }
  })
}

function toLinkage<R extends Row, S extends Scope>({ relationships }: Resource<R, S>, row: R) {
  const entries = Object.entries(relationships).map(([name, { type, id: idOf }]) => {
    const id = idOf(row)
    return [name, { data: id === null ? null : { type, id } }] as const
  })
  return entries.length === 0 ? {} : { relationships: Object.fromEntries(entries) }
}

/** The data and included resources of a document, with the fields that were asked for. */
export async function compose(load: Loader, { fields, include }: View, objects: readonly ResourceObject[]) {
  const data = objects.map((object) => pick(object, fields))
  if (include.length === 0) return { data }
  const included = await findIncluded(load, objects, include)
  return { data, included: included.map((object) => pick(object, fields)) }
}

/** A resource object with only the fields that were asked for of its type. */
export function pick<Shown extends Pick<ResourceObject, 'type' | 'attributes' | 'relationships'>>(
  object: Shown,
  wanted: View['fields'],
): Shown {
  const fields = wanted.get(object.type)
  if (fields === undefined) return object
  const among = <Value>(members: Record<string, Value>) =>
    Object.fromEntries(Object.entries(members).filter(([name]) => fields.has(name)))
  const { relationships } = object
  return {
    ...object,
    attributes: among(object.attributes),
    ...(relationships === undefined ? {} : { relationships: among(relationships) }),
  }
}
