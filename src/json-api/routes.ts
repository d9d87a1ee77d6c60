import { inArray } from 'drizzle-orm'
import { Hono } from 'hono'
import type { Description } from './describe.ts'
import type { ResourceObject } from './document.ts'
import { answerErrors } from './error.ts'
import { create, list, remove, type ScopeEnv, show, update } from './handlers.ts'
import type { Loader } from './include.ts'
import { toObjects } from './objects.ts'
import type { Types } from './query.ts'
import { type Api, attributeNames, type Resource, type Row, type Scope } from './resource.ts'

/** A resource whatever its rows are. */
export type Mounted<S extends Scope> = {
  type: string
  path: string
  fields: ReadonlySet<string>
  relationships: Readonly<Record<string, string>>
  description: Description
  load: (api: Api<S>, scope: S, ids: readonly string[]) => Promise<ResourceObject[]>
  routes: (api: Api<S>, types: Types, loaderFor: (scope: S) => Loader) => Hono<ScopeEnv<S>>
}

/** Hides the rows of a resource, so that resources of all kinds stand in one list. */
export function mount<R extends Row, S extends Scope>(resource: Resource<R, S>): Mounted<S> {
  const { type, path, table, relationships, select } = resource
  const targets = Object.entries(relationships).map(([name, { type: target }]) => [name, target] as const)
  return {
    type,
    path,
    fields: new Set([...attributeNames(resource), ...Object.keys(relationships)]),
    relationships: Object.fromEntries(targets),
    description: describe(resource),
    load: async (api, scope, ids) => {
      const page = { where: inArray(table.id, [...ids]), orderBy: [], limit: ids.length }
      return toObjects(resource, api, scope, await select(scope, page))
    },
    routes: (api, types, loaderFor) => routesOf(resource, api, types, loaderFor),
  }
}

function describe<R extends Row, S extends Scope>(resource: Resource<R, S>): Description {
  const { create, update, remove, sort } = resource
  const methods = {
    read: true,
    create: create !== undefined,
    update: update !== undefined,
    remove: remove !== undefined,
  }
  return { ...resource, sort: Object.keys(sort), methods }
}

/** Serves all resources of an API under their paths. Each can include those that it is related to. */
export function serve<S extends Scope>(
  app: Hono<ScopeEnv<S>>,
  api: Api<S>,
  all: readonly Mounted<S>[],
): void {
  const byType = new Map(all.map((mounted) => [mounted.type, mounted]))
  const loaderFor = (scope: S): Loader => {
    return async (type, ids) => (await byType.get(type)?.load(api, scope, ids)) ?? []
  }
  for (const { path, routes } of all) app.route(`/${path}`, routes(api, byType, loaderFor))
}

function routesOf<R extends Row, S extends Scope>(
  resource: Resource<R, S>,
  api: Api<S>,
  types: Types,
  loaderFor: (scope: S) => Loader,
): Hono<ScopeEnv<S>> {
  const served = { resource, api, types, loaderFor }
  const app = new Hono<ScopeEnv<S>>()
  app.get('/', (c) => list(served, c))
  app.get('/:id', (c) => show(served, c))
  if (resource.create) app.post('/', (c) => create(served, c))
  if (resource.update) app.patch('/:id', (c) => update(served, c))
  if (resource.remove) app.delete('/:id', (c) => remove(served, c))
  app.all('/', refuseMethod(resource.create ? ['GET', 'POST'] : ['GET'], 'collection'))
  app.all(
    '/:id',
    refuseMethod(
      ['GET', ...(resource.update ? ['PATCH'] : []), ...(resource.remove ? ['DELETE'] : [])],
      'resource',
    ),
  )
  return app
}

/** Refuses what is not among the allowed methods. JSON:API 1.1 asks for 403 where a resource cannot be updated; for other
 * methods, and on collections, HTTP has 405. */
export const refuseMethod =
  (allowed: string[], of: 'resource' | 'collection') => (c: { req: { method: string } }) =>
    answerErrors(
      [
        {
          status: c.req.method === 'PATCH' && of === 'resource' ? 403 : 405,
          code: 'method_not_allowed',
          title: 'method not allowed',
          detail: `Allowed here: ${allowed.join(', ')}.`,
        },
      ],
      { Allow: allowed.join(', ') },
    )
