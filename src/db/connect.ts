import { mkdir, stat } from 'node:fs/promises'
import { dirname } from 'node:path'
import { fileURLToPath } from 'node:url'
import { PGlite } from '@electric-sql/pglite'
import type { SQL } from 'drizzle-orm'
import { type PgDatabase, PgDialect, type PgQueryResultHKT } from 'drizzle-orm/pg-core'
import { drizzle as drizzlePglite } from 'drizzle-orm/pglite'
import { migrate as migratePglite } from 'drizzle-orm/pglite/migrator'
import { drizzle as drizzlePostgres } from 'drizzle-orm/postgres-js'
import { migrate as migratePostgres } from 'drizzle-orm/postgres-js/migrator'
import postgres from 'postgres'
import * as schema from './schema.ts'

/** Drizzle over the tables of schema.ts: a connection pool, the embedded database, or a transaction on either. */
export type Db = PgDatabase<PgQueryResultHKT, typeof schema>

/** An open database. `listen` calls back for each NOTIFY on the channel until the function that it gives is called;
 * `missed` when some may have been lost, since the connection broke and is there again. */
export type Database = {
  db: Db
  embedded: boolean
  migrate(): Promise<void>
  listen(channel: string, heard: (payload: string) => void, missed?: () => void): Promise<() => Promise<void>>
  close(): Promise<void>
}

const migrations = { migrationsFolder: fileURLToPath(new URL('../../drizzle', import.meta.url)) }

/** Called with the text of each statement before it is sent: one call is one round trip to the database. */
export type OnStatement = (text: string) => void

/** Opens PostgreSQL at a `postgres://` URL. Nothing is asked of it before the first query. */
export function openPostgres(url: string, connections = 10, onStatement?: OnStatement): Database {
  const client = postgres(url, {
    ...{ max: connections, onnotice: () => {}, connect_timeout: 5, backoff },
    connection: isPooled(url) ? {} : patience,
  })
  const db = drizzlePostgres(client, { schema, casing: 'snake_case', ...loggerFor(onStatement) })
  return {
    db,
    embedded: false,
    migrate: () => migratePostgresLocked(url),
    listen: async (channel, heard, missed = () => {}) => {
      let before = false
      const { unlisten } = await client.listen(channel, heard, () => {
        if (before) missed()
        before = true
      })
      return unlisten
    },
    close: () => client.end({ timeout: 3 }),
  }
}

// A process whose machine vanishes leaves PostgreSQL a connection that looks alive for hours, and with it the locks of its
// transaction: PostgreSQL finds out in eleven seconds. A process that stands still answers for its machine; it has a minute
// and no less, since the driver (3.4) takes the loss of a connection within a transaction badly when it goes on: it may
// end the process. And whoever waits for a lock holds a connection that others need.
const patience = {
  ...{
    tcp_keepalives_idle: 5,
    tcp_keepalives_interval: 2,
    tcp_keepalives_count: 3,
    tcp_user_timeout: 10_000,
  },
  ...{ idle_in_transaction_session_timeout: 60_000, lock_timeout: 5000 },
}

// A pooler refuses a connection that brings settings which it does not know (README, DATABASE_URL).
const isPooled = (url: string): boolean => /[?&]prepare=false(&|$)/.test(url)

// Seconds until a broken connection is tried again. The driver's own go up to twenty, in which nothing would be heard of
// a database that is back.
const backoff = (tries: number): number => Math.min(3 ** tries / 100, 2) * (0.5 + Math.random() / 2)

/** Opens the embedded PostgreSQL in a folder, made when missing; `memory` keeps nothing. */
export async function openEmbedded(folder: string, onStatement?: OnStatement): Promise<Database> {
  if (folder === 'memory') return embedded(await PGlite.create(), onStatement)
  await makeFolder(folder)
  return embedded(await PGlite.create(folder), onStatement)
}

/** Makes a folder and those above it. Node's own `recursive` tries without end where a folder takes none, as in /proc. */
export async function makeFolder(folder: string): Promise<void> {
  const refused = await makeOne(folder)
  if (refused === null) return
  if (refused.code !== 'ENOENT' || dirname(folder) === folder) throw refused
  await makeFolder(dirname(folder))
  const again = await makeOne(folder)
  if (again !== null) throw again
}

const makeOne = (folder: string): Promise<NodeJS.ErrnoException | null> =>
  mkdir(folder).then(
    () => null,
    async (error: NodeJS.ErrnoException) => ((await isFolder(folder)) ? null : error),
  )

const isFolder = (path: string): Promise<boolean> =>
  stat(path).then(
    (found) => found.isDirectory(),
    () => false,
  )

/** The embedded database that a PGlite instance is: tests bring one loaded from a template. */
export function embedded(client: PGlite, onStatement?: OnStatement): Database {
  const db = drizzlePglite(client, { schema, casing: 'snake_case', ...loggerFor(onStatement) })
  return {
    db,
    embedded: true,
    migrate: () => migratePglite(db, migrations),
    listen: (channel, heard) => client.listen(channel, heard),
    close: () => client.close(),
  }
}

const loggerFor = (onStatement: OnStatement | undefined) =>
  onStatement === undefined ? {} : { logger: { logQuery: onStatement } }

/** Rows of a hand-written query: the two drivers wrap them differently. Column names come as the query has them. */
export async function rows<Row>(db: Db, query: SQL): Promise<Row[]> {
  return unwrap<Row>(await db.execute(query))
}

const dialect = new PgDialect({ casing: 'snake_case' })

/** The same for a statement that runs with every call: PostgreSQL reads and plans it once for each connection, and it
 * costs one round trip instead of two. It may have a few texts and no more, since each is kept for as long as the
 * connection: what varies is a parameter. The embedded database plans it each time. */
export async function preparedRows<Row>(db: Db, name: string, query: SQL): Promise<Row[]> {
  const statement = db._.session.prepareQuery(dialect.sqlToQuery(query), undefined, name, false)
  return unwrap<Row>(await statement.execute())
}

// The drivers' own types do not know which columns a hand-written query has.
function unwrap<Row>(result: unknown): Row[] {
  const read = result as Row[] | { rows: Row[] }
  return Array.isArray(read) ? read : read.rows
}

// Several processes may start at once: one migrates, the others wait for it.
async function migratePostgresLocked(url: string) {
  const client = postgres(url, { max: 1, onnotice: () => {}, connect_timeout: 5 })
  try {
    await client`SELECT pg_advisory_lock(hashtext('freeswitch-trunks migrations'))`
    await migratePostgres(drizzlePostgres(client), migrations)
  } finally {
    await client.end({ timeout: 3 })
  }
}
