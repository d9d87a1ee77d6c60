import { sql } from 'drizzle-orm'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Database } from '../../src/db/connect.ts'
import { eventually } from '../support/eventually.ts'
import { openTestDatabase } from '../support/platform.ts'

let database: Database
beforeAll(async () => {
  database = await openTestDatabase()
})
afterAll(() => database.close())

const notify = (payload: string) => database.db.execute(sql`SELECT pg_notify('news', ${payload}::text)`)

test('what is said on a channel is heard until nobody listens any more', async () => {
  const heard: string[] = []
  const unlisten = await database.listen('news', (payload) => heard.push(payload))
  await notify('one')
  await eventually(() => expect(heard).toEqual(['one']))
  await unlisten()
  await notify('two')
  await new Promise((resolve) => setTimeout(resolve, 100))
  expect(heard).toEqual(['one'])
})

describe.skipIf(process.env.TEST_DATABASE_URL === undefined)('on a PostgreSQL', () => {
  test('a listener whose connection broke hears again, and is told that it may have missed something', async () => {
    const heard: string[] = []
    let missed = 0
    await database.listen(
      'news',
      (payload) => heard.push(payload),
      () => missed++,
    )
    await notify('one')
    await eventually(() => expect(heard).toEqual(['one']))
    expect(missed).toBe(0)
    await database.db.execute(
      sql`SELECT pg_terminate_backend(pid) FROM pg_stat_activity
        WHERE datname = current_database() AND query ILIKE 'listen%'`,
    )
    await notify('nobody hears this')
    await eventually(() => expect(missed).toBe(1))
    await notify('three')
    await eventually(() => expect(heard).toEqual(['one', 'three']))
  })
})
