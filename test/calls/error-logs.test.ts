import { afterAll, beforeAll, expect, test } from 'vitest'
import { type ErrorLog, insertErrorLog } from '../../src/calls/log-queries.ts'
import { errorLogs } from '../../src/db/schema.ts'
import type { Platform } from '../../src/platform.ts'
import { createTestPlatform } from '../support/platform.ts'
import { createTenant, createTrunk } from '../support/rows.ts'

let platform: Platform
let about: ErrorLog

beforeAll(async () => {
  platform = await createTestPlatform()
  const tenant = await createTenant(platform)
  const trunk = await createTrunk(platform, tenant)
  about = {
    ...{ carrierId: trunk.carrierId, accountId: null, sipTrunkId: trunk.id, callId: null },
    ...{ type: 'inbound_call.no_number', message: 'Nobody has this number.', details: { to: '1' } },
  }
})
afterAll(() => platform.database.close())

const stored = async (type: string) =>
  (await platform.db.select().from(errorLogs)).filter((log) => log.type === type)

test('sixty a minute of one type are kept, the last of which says so, and hide no other', async () => {
  for (let call = 0; call < 70; call++) await insertErrorLog(platform.db, about)
  const logs = await stored(about.type)
  expect(logs).toHaveLength(60)
  const further = { further: 'The same is not logged again in this minute.' }
  expect(logs.filter(({ details }) => 'further' in (details as object))).toMatchObject([
    { details: { to: '1', ...further } },
  ])
  await insertErrorLog(platform.db, { ...about, type: 'inbound_call.ambiguous' })
  expect(await stored('inbound_call.ambiguous')).toHaveLength(1)
})
