import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { sql } from 'drizzle-orm'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { createApp } from '../../src/app.ts'
import { rows } from '../../src/db/connect.ts'
import { gatewayStates, statusCallbacks, switches } from '../../src/db/schema.ts'
import type { Readiness } from '../../src/operations/readiness.ts'
import type { Platform } from '../../src/platform.ts'
import { capturedFetch, post } from '../support/fetches.ts'
import { createTestPlatform, openTestDatabase, platformOn } from '../support/platform.ts'
import { createTenant, createTrunk } from '../support/rows.ts'

let platform: Platform
const get = (path: string, on: 'publicApp' | 'switchApp' = 'publicApp', which = platform) =>
  createApp(which)[on].request(path)

beforeAll(async () => {
  platform = await createTestPlatform({ EVENT_SOCKET: 'on' })
})
afterAll(() => platform.database.close())

const ready = async (which = platform) =>
  (await (await get('/ready', 'publicApp', which)).json()) as Readiness

const watched = () =>
  platform.db
    .insert(switches)
    .values({
      id: '127.0.0.1:8021',
      region: 'hydrogen',
      name: 's1',
      state: 'up',
      holder: crypto.randomUUID(),
      seenAt: new Date(),
    })
    .onConflictDoUpdate({ target: switches.id, set: { seenAt: new Date(), holder: crypto.randomUUID() } })

test('/health says that the process is alive', async () => {
  const response = await get('/health')
  expect(response.status).toBe(200)
  expect(await response.json()).toEqual({ status: 'ok', uptime_seconds: expect.any(Number) })
})

test('/ready names a switch that is not reached, and the APIs go on', async () => {
  const response = await get('/ready')
  expect(response.status).toBe(200)
  expect(await response.json()).toEqual({
    status: 'degraded',
    problems: ['The switch that has never been reached of region hydrogen is not reached.'],
    checks: {
      database: { ok: true, latency_ms: expect.any(Number) },
      switches: [{ region: 'hydrogen', name: null, ok: false, since_seconds: 0 }],
      speech: { ok: true, problem: null },
      lag: {
        event_loop_ms: expect.any(Number),
        queued_calls: 0,
        oldest_queued_call_seconds: 0,
        waiting_callbacks: 0,
        oldest_callback_seconds: 0,
      },
    },
  })
})

test('/ready is ready when everything is there, whichever process watches the switch', async () => {
  await watched()
  const report = await ready()
  expect(report).toMatchObject({
    status: 'ready',
    problems: [],
    checks: { switches: [{ name: 's1', ok: true }] },
  })
  expect(JSON.stringify(report)).not.toContain('127.0.0.1')
  await platform.db.execute(sql`UPDATE switches SET seen_at = now() - interval '11 seconds'`)
  expect(await ready()).toMatchObject({
    status: 'degraded',
    problems: ['The switch s1 of region hydrogen is not reached.'],
  })
})

test('/ready tells what waits', async () => {
  const { account } = await createTenant(platform)
  await platform.db.insert(statusCallbacks).values({
    orderKey: crypto.randomUUID(),
    accountId: account.id,
    url: 'https://example.com/',
    method: 'POST',
    params: {},
    dueAt: new Date(Date.now() - 90_000),
  })
  const { lag } = (await ready()).checks
  expect(lag).toMatchObject({ waiting_callbacks: 1 })
  expect(Math.abs((lag?.oldest_callback_seconds ?? 0) - 90)).toBeLessThan(5)
})

test('/ready says when nothing can be said, and when no switch is wanted', async () => {
  const mute = await createTestPlatform({ TTS_COMMAND: '/no/such/program' })
  const report = await ready(mute)
  expect(report.status).toBe('degraded')
  expect(report.problems).toEqual([
    'EVENT_SOCKET is off: no switch is told anything.',
    expect.stringMatching(/^Nothing can be said in calls: /),
  ])
  await mute.database.close()
})

test('/ready is not ready while the database does not answer', async () => {
  const database = await openTestDatabase()
  const gone = platformOn(database, platform.env)
  await database.close()
  const response = await get('/ready', 'publicApp', gone)
  expect(response.status).toBe(503)
  expect(await response.json()).toMatchObject({
    status: 'not ready',
    problems: expect.arrayContaining(['The database does not answer.']),
    checks: { database: { ok: false, latency_ms: null }, lag: null },
  })
  const scraped = await (await get('/metrics', 'switchApp', gone)).text()
  expect(scraped).toContain('trunks_database_up 0\n')
})

test('a database that never answers holds up neither /ready nor /metrics, and is asked once for all who ask', async () => {
  let asked = 0
  const db = new Proxy(platform.db, {
    get: (target, name) => {
      if (name !== 'execute') return Reflect.get(target, name)
      asked += 1
      return () => new Promise(() => {})
    },
  })
  const { publicApp, switchApp } = createApp({ ...platform, db })
  const answers = await Promise.all([
    ...Array.from({ length: 20 }, () => publicApp.request('/ready')),
    ...Array.from({ length: 20 }, () => switchApp.request('/metrics')),
  ])
  expect(answers.map(({ status }) => status)).toEqual([...Array(20).fill(503), ...Array(20).fill(200)])
  expect(await answers.at(-1)?.text()).toContain('trunks_database_up 0\n')
  expect(asked).toBe(2)
  await publicApp.request('/ready')
  expect(asked, 'and again later').toBe(3)
}, 15_000)

test('a speech program that hangs holds up /ready for three seconds', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'freeswitch-trunks-speech-'))
  const TTS_COMMAND = join(folder, 'hang')
  writeFileSync(TTS_COMMAND, '#!/bin/sh\nexec sleep 10\n', { mode: 0o755 })
  const started = performance.now()
  const { checks } = await ready({ ...platform, env: { ...platform.env, TTS_COMMAND } })
  expect(checks.speech).toEqual({ ok: false, problem: 'The speech program does not answer.' })
  expect(performance.now() - started).toBeLessThan(8000)
  rmSync(folder, { recursive: true })
}, 15_000)

test('/metrics counts fetches by section and result, gateways, switches and what waits', async () => {
  await watched()
  const tenant = await createTenant(platform)
  const settings = { username: 'u', password: 'p', outboundHost: 'pbx.example.com' }
  const trunk = await createTrunk(platform, tenant, {
    authenticationMode: 'outbound_registration',
    ...settings,
  })
  await platform.db
    .insert(gatewayStates)
    .values({ trunkId: trunk.id, switchId: '127.0.0.1:8021', state: 'failed' })
  const { switchApp } = createApp(platform)
  await post(
    switchApp,
    '/freeswitch/xml',
    capturedFetch('configuration-sofia-startgw', { gateway: trunk.id }),
  )
  await post(switchApp, '/freeswitch/xml', capturedFetch('configuration-timezones'))
  await post(switchApp, '/freeswitch/xml', capturedFetch('configuration-timezones'))
  await post(switchApp, '/freeswitch/xml', 'not a form')
  const response = await switchApp.request('/metrics')
  expect(response.headers.get('content-type')).toMatch(/^text\/plain; version=0\.0\.4/)
  const text = await response.text()
  for (const line of [
    'trunks_fetch_seconds_count{section="configuration",result="answered"} 1',
    'trunks_fetch_seconds_count{section="other",result="not_found"} 2',
    'trunks_fetch_seconds_count{section="unknown",result="refused"} 1',
    'trunks_calls{status="ringing"} 0',
    'trunks_gateways{state="failed"} 1',
    'trunks_gateways{state="registered"} 0',
    'trunks_switch_up{region="hydrogen",switch="s1"} 1',
    'trunks_client_contacts 0',
    'trunks_queued_calls 0',
    'trunks_waiting_callbacks 1',
    'trunks_database_up 1',
  ])
    expect(text).toContain(`${line}\n`)
  expect(text).toMatch(/nodejs_eventloop_lag_p99_seconds /)
})

test('neither /metrics nor /ready reads the calls that are over', async () => {
  const plans: string[] = []
  const explaining = new Proxy(platform.db, {
    get: (target, name) => {
      if (name !== 'execute') return Reflect.get(target, name)
      return async (query: ReturnType<typeof sql>) => {
        const plan = await rows<{ 'QUERY PLAN': string }>(target, sql`EXPLAIN ${query}`)
        plans.push(plan.map((line) => line['QUERY PLAN']).join('\n'))
        return target.execute(query)
      }
    },
  })
  const which = { ...platform, db: explaining }
  await platform.db.execute(sql`SET enable_seqscan = off`)
  await get('/metrics', 'switchApp', which)
  await get('/ready', 'publicApp', which)
  await platform.db.execute(sql`SET enable_seqscan = on`)
  expect(plans.filter((plan) => plan.includes('phone_calls')).length).toBeGreaterThan(1)
  expect(plans.filter((plan) => plan.includes('Seq Scan on phone_calls'))).toEqual([])
})

test('/metrics tells gateways that no switch is known to run, and how callbacks fare', async () => {
  await watched()
  const tenant = await createTenant(platform)
  const settings = { username: 'u', password: 'p', outboundHost: 'pbx.example.com' }
  const make = () =>
    createTrunk(platform, tenant, { authenticationMode: 'outbound_registration', ...settings })
  const [lost] = [await make(), await make()]
  await platform.db
    .insert(switches)
    .values({ id: 'gone:8021', region: 'hydrogen', name: 's9', state: 'down' })
  await platform.db
    .insert(gatewayStates)
    .values({ trunkId: lost.id, switchId: 'gone:8021', state: 'registered' })
  platform.metrics.deliveredCallback('delivered', 20)
  const text = await (await get('/metrics', 'switchApp')).text()
  for (const line of [
    'trunks_gateways{state="registered"} 0',
    'trunks_gateways{state="unknown"} 1',
    'trunks_gateways{state="no_switch"} 1',
    'trunks_callback_seconds_count{result="delivered"} 1',
  ])
    expect(text).toContain(`${line}\n`)
  // It is in REGIONS_FILE no longer: an alert on it would never end.
  expect(text.match(/^trunks_switch_up.*$/gm)).toEqual(['trunks_switch_up{region="hydrogen",switch="s1"} 1'])
})

test('/metrics is not on the public listener', async () => {
  expect((await get('/metrics')).status).toBe(404)
})
