import { eq, sql } from 'drizzle-orm'
import type { Context } from 'hono'
import { isUuid } from '../sid.ts'
import { readData } from './body.ts'
import { answer, type Document, entityTag, isKnown, type ResourceObject } from './document.ts'
import { answerErrors, notFound } from './error.ts'
import type { Loader } from './include.ts'
import { type Listed, readPage } from './list.ts'
import { compose, toObjects } from './objects.ts'
import { bySeq } from './page.ts'
import { readListQuery, readView, type Types, type View } from './query.ts'
import type { Api, Resource, Row, Scope } from './resource.ts'
import { createResource, removeResource, updateResource } from './write.ts'

/** Variables of a request: whoever asks was found before. */
export type ScopeEnv<S extends Scope> = { Variables: { scope: S } }

/** A resource in its API, with all that its documents may include. */
export type Served<R extends Row, S extends Scope> = {
  resource: Resource<R, S>
  api: Api<S>
  types: Types
  loaderFor: (scope: S) => Loader
}

/** GET of a collection. */
export async function list<R extends Row, S extends Scope>(served: Served<R, S>, c: Context<ScopeEnv<S>>) {
  const { resource, api, types, loaderFor } = served
  const { table, path, type } = resource
  const scope = c.get('scope')
  const parameters = new URL(c.req.url).searchParams
  const query = readListQuery(types, { ...resource, seq: bySeq<R>(sql`${table.seq}`) }, parameters)
  if (Array.isArray(query)) return answerErrors(query)
  const source = { id: table.id, owner: `${api.owner(scope)} ${type}`, keys: scope.platform.keys }
  const page = await readPage({ ...source, select: (wanted) => resource.select(scope, wanted) }, query)
  if (Array.isArray(page)) return answerErrors(page)
  const objects = await toObjects(resource, api, scope, page.rows)
  const links = linksOf(`${api.url}/${path}`, parameters, page)
  return answer(200, { ...(await compose(loaderFor(scope), query, objects)), links })
}

/** GET of one resource. */
export async function show<R extends Row, S extends Scope>(served: Served<R, S>, c: Context<ScopeEnv<S>>) {
  const view = readView(served.types, served.resource.type, new URL(c.req.url).searchParams)
  if (Array.isArray(view)) return answerErrors(view)
  const { resource, api } = served
  const { id } = target(c)
  const page = { where: eq(resource.table.id, id), orderBy: [], limit: 1 }
  const rows = isUuid(id) ? await resource.select(c.get('scope'), page) : []
  const [object] = await toObjects(resource, api, c.get('scope'), rows, true)
  return object === undefined ? answerErrors([notFound]) : answerOne(served, c, 200, object, view)
}

/** POST to a collection. */
export async function create<R extends Row, S extends Scope>(served: Served<R, S>, c: Context<ScopeEnv<S>>) {
  const request = await readWrite(served, c)
  if (Array.isArray(request)) return answerErrors(request)
  const written = await createResource(served.resource, served.api, c.get('scope'), request.data)
  return Array.isArray(written) ? answerErrors(written) : answerOne(served, c, 201, written, request.view)
}

/** PATCH of a resource. */
export async function update<R extends Row, S extends Scope>(served: Served<R, S>, c: Context<ScopeEnv<S>>) {
  const request = await readWrite(served, c)
  if (Array.isArray(request)) return answerErrors(request)
  const { id, ifMatch } = target(c)
  const { resource, api } = served
  const written = await updateResource(resource, api, c.get('scope'), id, request.data, ifMatch)
  return Array.isArray(written) ? answerErrors(written) : answerOne(served, c, 200, written, request.view)
}

/** DELETE of a resource. */
export async function remove<R extends Row, S extends Scope>(served: Served<R, S>, c: Context<ScopeEnv<S>>) {
  const { id, ifMatch } = target(c)
  const errors = await removeResource(served.resource, served.api, c.get('scope'), id, ifMatch)
  return errors === null ? new Response(null, { status: 204 }) : answerErrors(errors)
}

const target = (c: Context) => ({
  id: (c.req.param('id') ?? '').toLowerCase(),
  ifMatch: c.req.header('if-match'),
})

async function readWrite<R extends Row, S extends Scope>({ types, resource }: Served<R, S>, c: Context) {
  const view = readView(types, resource.type, new URL(c.req.url).searchParams)
  if (Array.isArray(view)) return view
  const data = await readData(c)
  return Array.isArray(data) ? data : { view, data }
}

async function answerOne<R extends Row, S extends Scope>(
  { loaderFor, resource: { once } }: Served<R, S>,
  c: Context<ScopeEnv<S>>,
  status: 200 | 201,
  object: ResourceObject,
  view: View,
): Promise<Response> {
  const { data, included } = await compose(loaderFor(c.get('scope')), view, [object])
  const { self } = object.links
  const document: Document = {
    ...(data[0] && { data: data[0] }),
    ...(included && { included }),
    links: { self },
    ...(object.meta && { meta: object.meta }),
  }
  const tag = entityTag(object, document, once)
  const reads = c.req.method === 'GET' || c.req.method === 'HEAD'
  if (reads && isKnown(c.req.header('if-none-match'), tag))
    return new Response(null, { status: 304, headers: { ETag: tag } })
  return answer(status, document, { ETag: tag, ...(status === 201 && { Location: self }) })
}

function linksOf<R>(url: string, parameters: URLSearchParams, { before, after }: Listed<R>) {
  const at = (cursor: Record<string, string>) => {
    const kept = [...parameters].filter(([name]) => name !== 'page[after]' && name !== 'page[before]')
    const query = new URLSearchParams([...kept, ...Object.entries(cursor)]).toString()
    return query === '' ? url : `${url}?${query}`
  }
  const query = parameters.toString()
  return {
    self: query === '' ? url : `${url}?${query}`,
    first: at({}),
    prev: before === null ? null : at({ 'page[before]': before }),
    next: after === null ? null : at({ 'page[after]': after }),
  }
}
