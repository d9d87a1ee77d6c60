import type { SQL } from 'drizzle-orm'
import type { PgColumn, PgTable } from 'drizzle-orm/pg-core'
import type { Db } from '../db/connect.ts'
import type { Page } from '../db/rows.ts'
import type { Outcome } from '../errors.ts'
import type { Platform } from '../platform.ts'
import { type Entries, type FieldNames, toPointer } from './attribute.ts'
import type { RequestData } from './body.ts'
import type { Example } from './describe.ts'
import type { ResourceObject } from './document.ts'
import { type Draft, draftChange, draftNew } from './draft.ts'
import { type ApiError, toErrors } from './error.ts'
import type { Filter } from './filter.ts'
import type { Relationship } from './link.ts'
import type { SortKey } from './page.ts'

/** What every deed on a resource runs on: `db` is the transaction when there is one. */
export type Scope = { platform: Platform; db: Db }

/** What rows of every resource have. */
export type Row = { id: string; seq: number }

/** What the engine knows of a resource: how it is read, shown, written and described. */
type Shape<R extends Row, S extends Scope> = {
  type: string
  path: string
  description: string
  /** Attributes that may be sent. */
  entries: Entries
  required: readonly string[]
  /** Attributes that are only answered, and those that are answered in another form than they are sent in. */
  answered: Entries
  /** Attributes that the audit trail leaves out. */
  secrets: readonly string[]
  /** Requests as the documentation shows them. */
  example?: Example
  /** Attributes that only the answer to POST has. */
  once?: readonly string[]
  /** What the audit trail calls a DELETE that deletes nothing. */
  removal?: 'released'
  toAttributes: (row: R, scope: S) => Record<string, unknown>
  relationships: Readonly<Record<string, Relationship<R>>>
  table: PgTable & { id: PgColumn; seq: PgColumn }
  /** The condition that makes rows the asker's own. */
  own: (scope: S) => SQL | undefined
  /** Reads a page of the asker's own rows. */
  select: (scope: S, page: Page) => Promise<R[]>
  sort: Readonly<Record<string, SortKey<R>>>
  filters: Readonly<Record<string, Filter>>
  /** What to say of rows beside their attributes, by id; of one that is answered alone it may be more. */
  toMeta?: (
    scope: S,
    rows: readonly R[],
    alone: boolean,
  ) => Promise<ReadonlyMap<string, Record<string, unknown>>>
}

/** A resource as its file defines it: deeds get drafts whose values have the types of the entries. */
export type Definition<R extends Row, S extends Scope, E extends Entries, Names extends FieldNames> = Shape<
  R,
  S
> & {
  entries: E
  required: readonly (keyof E & string)[]
  fieldNames: Names
  create?: (scope: S, draft: Draft<E, Names>) => Promise<Outcome<R>>
  update?: (scope: S, row: R, draft: Draft<E, Names>) => Promise<Outcome<R>>
  remove?: (scope: S, row: R) => Promise<Outcome<null>>
}

/** A resource as the engine runs it: deeds get what the request document holds. */
export type Resource<R extends Row, S extends Scope> = Shape<R, S> & {
  create?: (scope: S, data: RequestData) => Promise<R | ApiError[]>
  update?: (scope: S, row: R, data: RequestData) => Promise<R | ApiError[]>
  remove?: (scope: S, row: R) => Promise<null | ApiError[]>
}

/** Makes a resource of its definition. */
export function defineResource<R extends Row, S extends Scope, E extends Entries, Names extends FieldNames>(
  definition: Definition<R, S, E, Names>,
): Resource<R, S> {
  const { create, update, remove, answered, fieldNames, ...shape } = definition
  const form = { ...definition, ignored: Object.keys(answered) }
  const settle = <Value>(outcome: Outcome<Value>): Value | ApiError[] =>
    outcome.type === 'done' ? outcome.value : toErrors(outcome, (path) => toPointer(path, fieldNames))
  return {
    ...shape,
    answered,
    ...(create && {
      create: async (scope, data) => {
        const draft = draftNew(form, data)
        return Array.isArray(draft) ? draft : settle(await create(scope, draft))
      },
    }),
    ...(update && {
      update: async (scope, row, data) => {
        const draft = draftChange(form, row, data)
        return Array.isArray(draft) ? draft : settle(await update(scope, row, draft))
      },
    }),
    ...(remove && { remove: async (scope, row) => settle(await remove(scope, row)) }),
  }
}

/** What was done to a resource. */
export type Action = 'created' | 'updated' | 'deleted' | 'released'

/** What was written, as the asker sees it. */
export type Change = {
  action: Action
  type: string
  id: string
  before: ResourceObject | null
  after: ResourceObject | null
  /** Attributes that must not be kept. */
  secrets: readonly string[]
}

/** An API that resources are mounted in. */
export type Api<S extends Scope> = {
  /** Absolute URL that the paths of resources follow. */
  url: string
  /** A text that tells one asker from every other: cursors of one serve no other. */
  owner: (scope: S) => string
  /** Writes the audit trail, in the transaction of the change. */
  record: (scope: S, change: Change) => Promise<void>
}

/** Names of the attributes that a resource answers. */
export const attributeNames = ({ entries, answered }: { entries: Entries; answered: Entries }): string[] => [
  ...new Set([...Object.keys(entries), ...Object.keys(answered)]),
]
