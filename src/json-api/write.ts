import { and, eq, sql } from 'drizzle-orm'
import { isUuid } from '../sid.ts'
import type { RequestData } from './body.ts'
import { matches, type ResourceObject } from './document.ts'
import { type ApiError, notFound } from './error.ts'
import { toObjects } from './objects.ts'
import type { Action, Api, Resource, Row, Scope } from './resource.ts'

/** Creates a resource, and its line in the audit trail, in one transaction. */
export const createResource = <R extends Row, S extends Scope>(
  resource: Resource<R, S>,
  api: Api<S>,
  outer: S,
  data: RequestData,
): Promise<ResourceObject | ApiError[]> =>
  inTransaction(outer, async (scope) => {
    const row = (await resource.create?.(scope, data)) ?? [notFound]
    if (Array.isArray(row)) return row
    const after = await toObject(resource, api, scope, row, true)
    await record(resource, api, scope, 'created', null, after)
    return after
  })

/** Changes a resource as it is now, unless If-Match tells that the asker means an earlier state. */
export const updateResource = <R extends Row, S extends Scope>(
  resource: Resource<R, S>,
  api: Api<S>,
  outer: S,
  id: string,
  data: RequestData,
  ifMatch: string | undefined,
): Promise<ResourceObject | ApiError[]> =>
  inTransaction(outer, async (scope) => {
    const row = await lock(resource, scope, id)
    if (row === undefined) return [notFound]
    const before = await toObject(resource, api, scope, row)
    if (!matches(ifMatch, before)) return [stale]
    const changed = (await resource.update?.(scope, row, data)) ?? [notFound]
    if (Array.isArray(changed)) return changed
    const after = await toObject(resource, api, scope, changed, true)
    if (JSON.stringify(before.attributes) !== JSON.stringify(after.attributes))
      await record(resource, api, scope, 'updated', before, after)
    return after
  })

/** Deletes a resource, under the same condition. */
export const removeResource = <R extends Row, S extends Scope>(
  resource: Resource<R, S>,
  api: Api<S>,
  outer: S,
  id: string,
  ifMatch: string | undefined,
): Promise<null | ApiError[]> =>
  inTransaction(outer, async (scope) => {
    const row = await lock(resource, scope, id)
    if (row === undefined) return [notFound]
    const before = await toObject(resource, api, scope, row)
    if (!matches(ifMatch, before)) return [stale]
    const errors = resource.remove === undefined ? [notFound] : await resource.remove(scope, row)
    if (errors !== null) return errors
    await record(resource, api, scope, resource.removal ?? 'deleted', before, null)
    return null
  })

const stale: ApiError = {
  status: 412,
  code: 'stale',
  title: 'changed meanwhile',
  detail: 'The resource is no longer as If-Match names it. Read it again.',
  source: { header: 'If-Match' },
}

// Locked, so that two changes of one resource follow each other and each sees what the other left.
async function lock<R extends Row, S extends Scope>(
  { table, own, select }: Resource<R, S>,
  scope: S,
  id: string,
): Promise<R | undefined> {
  if (!isUuid(id)) return undefined
  await scope.db.execute(sql`SELECT 1 FROM ${table} WHERE ${and(eq(table.id, id), own(scope))} FOR UPDATE`)
  const [row] = await select(scope, { where: eq(table.id, id), orderBy: [], limit: 1 })
  return row
}

async function toObject<R extends Row, S extends Scope>(
  resource: Resource<R, S>,
  api: Api<S>,
  scope: S,
  row: R,
  alone = false,
): Promise<ResourceObject> {
  const [object] = await toObjects(resource, api, scope, [row], alone)
  if (object === undefined) throw new Error('A row must have a resource object.')
  return object
}

const record = <R extends Row, S extends Scope>(
  { type, secrets }: Resource<R, S>,
  api: Api<S>,
  scope: S,
  action: Action,
  before: ResourceObject | null,
  after: ResourceObject | null,
) => api.record(scope, { action, type, id: (after ?? before)?.id ?? '', before, after, secrets })

// Errors undo what was written before they were found.
class Undone extends Error {
  readonly errors: ApiError[]
  constructor(errors: ApiError[]) {
    super('undone')
    this.errors = errors
  }
}

async function inTransaction<S extends Scope, Value>(
  outer: S,
  work: (scope: S) => Promise<Value | ApiError[]>,
): Promise<Value | ApiError[]> {
  try {
    return await outer.db.transaction(async (db) => {
      const result = await work({ ...outer, db })
      if (Array.isArray(result)) throw new Undone(result)
      return result
    })
  } catch (error) {
    if (error instanceof Undone) return error.errors
    throw error
  }
}
