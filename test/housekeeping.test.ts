import { randomUUID } from 'node:crypto'
import { sql } from 'drizzle-orm'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { rows } from '../src/db/connect.ts'
import { tidy } from '../src/housekeeping.ts'
import type { Platform } from '../src/platform.ts'
import { savePrompts } from '../src/steps/queries.ts'
import { createTestPlatform } from './support/platform.ts'
import { createTenant, type Tenant } from './support/rows.ts'

let platform: Platform
let tenants: Tenant[]
beforeAll(async () => {
  platform = await createTestPlatform()
  tenants = [await createTenant(platform, 'One'), await createTenant(platform, 'Other')]
})
afterAll(() => platform.database.close())

const count = async (table: string) =>
  (await rows<{ n: number }>(platform.db, sql`SELECT count(*)::integer AS n FROM ${sql.raw(table)}`))[0]?.n

// `old` rows that are a day too old, then `young` ones that have a day left.
async function fill({ carrier, account }: Tenant, old: number, young: number) {
  const { db } = platform
  const age = (days: number) =>
    sql`now() - CASE WHEN n <= ${old} THEN ${days + 1}::integer ELSE ${days - 1} END::integer * interval '1 day'`
  const numbers = sql`generate_series(1, ${old + young}::integer) n`
  const ids = sql`${carrier.id}::uuid, ${account.id}::uuid`
  await db.execute(sql`
    WITH call AS (INSERT INTO phone_calls (carrier_id, account_id, direction, status, from_number, to_number)
      VALUES (${ids}, 'inbound', 'completed', '1', '2') RETURNING id)
    INSERT INTO webhook_requests (carrier_id, account_id, call_id, step, state, method, url, created_at)
    SELECT ${ids}, call.id, n, 'answered', 'POST', 'https://a.example/', ${age(30)} FROM call, ${numbers} ORDER BY n`)
  await db.execute(sql`
    INSERT INTO error_logs (carrier_id, account_id, type, message, created_at)
    SELECT ${ids}, 'x', 'y', ${age(90)} FROM ${numbers} ORDER BY n`)
  await db.execute(sql`
    INSERT INTO audio_prompts (id, source, created_at)
    SELECT ${account.id} || n, '{}', ${age(30)} FROM ${numbers}`)
}

test('what is too old goes, however much there is, and nothing else', async () => {
  const [one, other] = tenants
  if (!one || !other) throw new Error('Two tenants were expected.')
  await fill(one, 3500, 20)
  await fill(other, 0, 30)
  await tidy(platform)
  expect(await Promise.all(['webhook_requests', 'error_logs', 'audio_prompts'].map(count))).toEqual([
    50, 50, 50,
  ])
  expect(await count('phone_calls')).toBe(2)
}, 30_000)

test('a prompt that a call has just been told to play is kept, however old it is', async () => {
  const [named, forgotten] = ['named', 'forgotten'].map((id) => ({
    id,
    source: { kind: 'say' },
    accountId: randomUUID(),
  }))
  if (!named || !forgotten) throw new Error('Two prompts were expected.')
  await savePrompts(platform.db, [named, forgotten])
  await platform.db.execute(
    sql`UPDATE audio_prompts SET created_at = now() - interval '31 days' WHERE id IN ('named', 'forgotten')`,
  )
  await savePrompts(platform.db, [named, named])
  await tidy(platform)
  const left = await rows<{ id: string }>(
    platform.db,
    sql`SELECT id FROM audio_prompts WHERE id IN ('named', 'forgotten')`,
  )
  expect(left).toEqual([{ id: 'named' }])
})
