import { once } from 'node:events'
import { createServer } from 'node:net'
import { sql } from 'drizzle-orm'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Database, openPostgres, rows } from '../../src/db/connect.ts'
import { type Placing, startPlacing } from '../support/placing.ts'
import { openTestDatabase } from '../support/platform.ts'

/** What a connection brings with it, as a pooler sees it. */
async function settingsOf(query: string): Promise<string> {
  const server = createServer()
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  const port = typeof address === 'object' ? address?.port : 0
  const startup = new Promise<string>((resolve) => {
    server.on('connection', (socket) =>
      socket.once('data', (bytes) => {
        resolve(bytes.toString('latin1'))
        socket.destroy()
      }),
    )
  })
  const database = openPostgres(`postgres://user@127.0.0.1:${port}/name${query}`, 1)
  const asked = database.db.execute(sql`SELECT 1`).catch(() => {})
  const settings = await startup
  await database.close()
  await asked
  server.close()
  return settings
}

test('a connection brings its patience, but none that a pooler would refuse', async () => {
  const queries = ['', '?prepare=false', '?application_name=x&prepare=false']
  const [direct, ...pooled] = await Promise.all(queries.map(settingsOf))
  for (const name of ['idle_in_transaction_session_timeout\x0060000\0', 'lock_timeout\x005000\0'])
    expect(direct).toContain(name)
  for (const settings of pooled) expect(settings).not.toMatch(/timeout|keepalives/)
})

describe.skipIf(process.env.TEST_DATABASE_URL === undefined)('on a PostgreSQL', () => {
  let database: Database
  beforeAll(async () => {
    database = await openTestDatabase()
  })
  afterAll(() => database.close())

  test('it finds out in time that a machine is gone', async () => {
    const settings = await rows<{ name: string; setting: string }>(
      database.db,
      sql`SELECT name, setting FROM pg_settings WHERE source = 'client' AND name ~ 'tcp|timeout' ORDER BY name`,
    )
    expect(settings.map(({ name, setting }) => `${name} ${setting}`)).toEqual([
      ...['idle_in_transaction_session_timeout 60000', 'lock_timeout 5000', 'tcp_keepalives_count 3'],
      ...['tcp_keepalives_idle 5', 'tcp_keepalives_interval 2', 'tcp_user_timeout 10000'],
    ])
  })

  test('who waits for a lock does not wait for long', async () => {
    await database.db.execute(sql`CREATE TABLE locked (id integer)`)
    await database.db.execute(sql`INSERT INTO locked VALUES (1)`)
    const lock = sql`SELECT id FROM locked FOR UPDATE`
    let release = () => {}
    const holding = database.db.transaction(async (tx) => {
      await tx.execute(lock)
      await new Promise<void>((resolve) => (release = resolve))
    })
    await new Promise((resolve) => setTimeout(resolve, 500))
    const begun = performance.now()
    await expect(database.db.execute(lock)).rejects.toThrow()
    expect(performance.now() - begun).toBeGreaterThan(4000)
    expect(performance.now() - begun).toBeLessThan(8000)
    release()
    await holding
    expect(await rows(database.db, lock)).toHaveLength(1)
  }, 30_000)

  test('a call whose row is locked holds up no other', async () => {
    const placing: Placing = await startPlacing()
    try {
      await placing.trunk({ outboundHost: 'pbx.example.com' })
      placing.calls.postsCdrs = false
      placing.calls.farEnd = ({ endpoint }) => ({
        ringMs: 5,
        answerMs: 10,
        talkMs: /1234@/.test(endpoint) ? 2000 : 100,
      })
      const held = await placing.order('+14155551234')
      await expect
        .poll(async () => (await placing.call(held)).status, { timeout: 10_000 })
        .toBe('in-progress')
      let release = () => {}
      const locked = placing.platform.db.transaction(async (tx) => {
        await tx.execute(sql`SELECT 1 FROM phone_calls WHERE id = ${held}::uuid FOR UPDATE`)
        await new Promise<void>((resolve) => (release = resolve))
      })
      await new Promise((resolve) => setTimeout(resolve, 2500))
      const digits = Array.from({ length: 12 }, (_, index) => String(10 + index))
      const others = await Promise.all(digits.map((two) => placing.order(`+141555599${two}`)))
      const completed = async () => {
        const calls = await Promise.all(others.map(placing.call))
        return calls.filter(({ status }) => status === 'completed').length
      }
      // Some may share its lane. It waits for five seconds for its row.
      await expect.poll(completed, { timeout: 3500 }).toBeGreaterThan(3)
      await expect.poll(completed, { timeout: 20_000 }).toBe(12)
      release()
      await locked
    } finally {
      await placing.close()
    }
  }, 90_000)
})
