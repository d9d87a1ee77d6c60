import { eq } from 'drizzle-orm'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { createApp } from '../../src/app.ts'
import { accounts, sipTrunks } from '../../src/db/schema.ts'
import type { Platform } from '../../src/platform.ts'
import type { TrunkSettings } from '../../src/trunks/trunk.ts'
import { type Client, createClient, doc, problems } from '../support/api.ts'
import { capturedFetch, post } from '../support/fetches.ts'
import { readableLog } from '../support/log.ts'
import { createTestPlatform } from '../support/platform.ts'
import { createTrunk, tenantOf } from '../support/rows.ts'

// One row whose secret cannot be read (a damaged backup, a row of another key) takes nothing else with it.

let platform: Platform
let client: Client & { carrier: Parameters<typeof tenantOf>[1] }
let logged: ReturnType<typeof readableLog>

beforeEach(async () => {
  logged = readableLog('info')
  platform = { ...(await createTestPlatform()), log: logged.log }
  client = await createClient(platform, createApp(platform).publicApp)
})
afterEach(() => platform.database.close())

const errors = () => logged.lines().filter(({ level }) => level === 50)
const sofia = (gateway?: string) =>
  post(
    createApp(platform).switchApp,
    '/freeswitch/xml',
    gateway === undefined
      ? capturedFetch('configuration-sofia-profile-start')
      : capturedFetch('configuration-sofia-startgw', { gateway }),
  )
const registering: Partial<TrunkSettings> = {
  authenticationMode: 'outbound_registration',
  username: 'u',
  password: 'p',
  outboundHost: 'pbx.example.com',
}

async function createBroken(settings: Partial<TrunkSettings>) {
  const trunk = await createTrunk(platform, client, settings)
  await platform.db
    .update(sipTrunks)
    .set({ passwordEncrypted: Buffer.alloc(40) })
    .where(eq(sipTrunks.id, trunk.id))
  return trunk
}

test('its gateway alone is missing from the profile, and is named in the log', async () => {
  const broken = await createBroken(registering)
  const sound = await createTrunk(platform, client, registering)
  const whole = await (await sofia()).text()
  expect(whole).toContain(`<gateway name="${sound.id}">\n`)
  expect(whole).not.toContain(broken.id)
  expect(whole).toMatch(/<\/document>\n$/)
  expect(errors()).toMatchObject([{ trunkId: broken.id, msg: 'A gateway cannot be written and is left out' }])
  const alone = await sofia(broken.id)
  expect(alone.status).toBe(200)
  expect(await alone.text()).toContain('<gateways/>\n')
})

test('its digest user is not found, and is named in the log', async () => {
  const { id } = await createBroken({ authenticationMode: 'client_credentials', username: 'icy-dream-4198' })
  const answer = await post(
    createApp(platform).switchApp,
    '/freeswitch/xml',
    capturedFetch('directory-register-digest'),
  )
  expect([answer.status, await answer.text()]).toEqual([200, expect.stringContaining('status="not found"')])
  expect(errors()).toMatchObject([{ trunkId: id }])
})

test('the carrier API shows null for it, and takes another', async () => {
  const broken = await createBroken(registering)
  const guest = await createBroken({ authenticationMode: 'client_credentials' })
  await createTrunk(platform, client, registering)
  const listed = await client.get('/sip_trunks')
  expect(listed.status).toBe(200)
  expect(listed.list.map(({ attributes }) => attributes.password)).toEqual(['p', null, null])
  expect(errors().map(({ trunkId }) => trunkId)).toEqual([guest.id, broken.id])

  const patch = (id: string, attributes: Record<string, unknown>) =>
    client.patch(`/sip_trunks/${id}`, doc('sip_trunk', attributes, { id }))
  expect(problems(await patch(broken.id, { name: 'New' }))).toEqual(['422 missing /data/attributes/password'])
  expect((await patch(broken.id, { password: 'q' })).data.attributes).toMatchObject({ password: 'q' })
  expect(await (await sofia()).text()).toContain('<param name="password" value="q"/>')
  expect((await patch(guest.id, { name: 'New' })).data.attributes.password).toMatch(/^\w{24}$/)

  const left = await createBroken(registering)
  await patch(left.id, { authentication_mode: 'ip_address', inbound_source_ips: ['203.0.113.9'] })
  const [row] = await platform.db.select().from(sipTrunks).where(eq(sipTrunks.id, left.id))
  expect(row?.passwordEncrypted, 'nothing is kept of what cannot be read').toBeNull()
})

test('an account shows null for its auth token, which lets nobody in', async () => {
  const { account } = await tenantOf(platform, client.carrier)
  await platform.db.update(accounts).set({ authTokenEncrypted: Buffer.alloc(40) })
  const listed = await client.get('/accounts')
  expect(listed.list.map(({ attributes }) => attributes.auth_token)).toEqual([null])
  expect(errors()).toMatchObject([{ accountId: account.id }])
  const answer = await createApp(platform).publicApp.request(
    `http://api.localhost:3000/2010-04-01/Accounts/${account.id}.json`,
    { headers: { Authorization: `Basic ${btoa(`${account.id}:`)}`, Host: 'api.localhost:3000' } },
  )
  expect(answer.status).toBe(401)
})

test('a document that breaks off is logged and counted as failed, a whole one as answered', async () => {
  await createTrunk(platform, client, registering)
  const count = (result: string) =>
    platform.metrics.registry
      .getSingleMetricAsString('trunks_fetch_seconds')
      .then(
        (text) => new RegExp(`_count\\{section="configuration",result="${result}"\\} (\\d+)`).exec(text)?.[1],
      )
  await (await sofia()).text()
  expect([await count('answered'), await count('failed')]).toEqual(['1', undefined])

  const { body } = await sofia()
  const reader = body?.getReader()
  await reader?.read()
  // As if the database went away now.
  Object.assign(platform.db, { execute: () => Promise.reject(new Error('gone')) })
  const rest = (async () => {
    while (!(await reader?.read())?.done);
  })()
  await expect(rest).rejects.toThrow('gone')
  expect([await count('answered'), await count('failed')]).toEqual(['1', '1'])
  expect(errors()).toMatchObject([{ msg: 'A document for the switch broke off', err: { message: 'gone' } }])

  const left = await sofia()
  await left.body?.cancel()
  expect(await count('failed')).toBe('2')
})
