import { randomBytes } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Business, createBusiness } from './support/account.ts'
import { type Cable, layCable } from './support/cable.ts'
import { createCarrier } from './support/carrier.ts'
import { type FreeSwitch, productConf, startFreeSwitch } from './support/freeswitch.ts'
import { freeTcpPort } from './support/ports.ts'
import { type Postgres, postgresPrograms, startPostgres } from './support/postgres.ts'
import { until } from './support/programs.ts'
import { type Server, startServer } from './support/server.ts'
import { startWebhookServer, type WebhookServer } from './support/webhook.ts'

// Two server processes on one PostgreSQL, one FreeSWITCH whose event socket can be cut, and a PBX as the far end.

const programs = postgresPrograms()
const folder = mkdtempSync(join(tmpdir(), 'freeswitch-trunks-live-'))
const channels = 20
let database: Postgres
let webhook: WebhookServer
let cable: Cable
let servers: [Server, Server]
let freeswitch: FreeSwitch
let pbx: FreeSwitch
let business: Business
const ends: (() => unknown)[] = []

async function startAll(postgresFolder: string): Promise<void> {
  database = await startPostgres(folder, postgresFolder)
  ends.unshift(database.stop)
  webhook = await startWebhookServer()
  ends.unshift(webhook.close)
  const eventSocketPort = await freeTcpPort()
  cable = await layCable(eventSocketPort)
  ends.unshift(cable.close)
  const shared = {
    DATABASE_URL: database.url,
    ENCRYPTION_KEY: randomBytes(32).toString('base64'),
    SWITCH_PASSWORD: randomBytes(12).toString('hex'),
    OPERATOR_TOKEN: randomBytes(16).toString('hex'),
  }
  const serverOf = (name: string) =>
    startServer(folder, {
      ...{ name, env: shared },
      switches: [{ host: '127.0.0.1', port: cable.port, password: 'ClueCon' }],
    })
  const first = await serverOf('first')
  ends.unshift(() => first.stop())
  const second = await serverOf('second')
  ends.unshift(() => second.stop())
  servers = [first, second]
  freeswitch = await startFreeSwitch(folder, {
    ...{ name: 'switch', conf: productConf, profile: 'nat_gateway', eventSocketPort },
    env: {
      SWITCH_URL: second.switchUrl,
      FALLBACK: 'on',
      FALLBACK_SWITCH_URL: first.switchUrl,
      SWITCH_PASSWORD: shared.SWITCH_PASSWORD,
    },
  })
  ends.unshift(() => freeswitch.stop('SIGKILL'))
  pbx = await startFreeSwitch(folder, {
    ...{ name: 'pbx', conf: join(import.meta.dirname, 'pbx'), profile: 'pbx' },
    env: { PBX_AUTH_CALLS: 'false' },
  })
  ends.unshift(() => pbx.stop('SIGKILL'))
  const operated = { ...second, operatorToken: shared.OPERATOR_TOKEN }
  const carrier = await createCarrier(operated)
  business = await createBusiness(operated, carrier, webhook)
  await carrier.create('sip_trunks', {
    ...{ name: 'PBX', authentication_mode: 'ip_address', region: 'hydrogen' },
    ...{ inbound_source_ips: ['192.0.2.1'], outbound_host: pbx.sip, max_channels: channels },
  })
}

/** The numbers that the PBX was called at, in order. */
const called = () =>
  [
    ...readFileSync(join(pbx.logs, 'freeswitch.log'), 'utf8').matchAll(
      /Processing .*->(\d+) in context pbx/g,
    ),
  ].map(([, number]) => `+${number}`)

const peak = async () => Number(/peak (\d+)/.exec(await freeswitch.api('status'))?.[1])

async function statuses(): Promise<Record<string, number>> {
  const calls = await business.client.calls.list({ pageSize: 1000 })
  const counts: Record<string, number> = {}
  for (const { status } of calls) counts[status] = (counts[status] ?? 0) + 1
  return counts
}

async function eachEnds(expected: Record<string, number>, withinMs: number): Promise<void> {
  await expect.poll(statuses, { timeout: withinMs, interval: 1000 }).toEqual(expected)
}

describe.skipIf(programs === null)('calls of the API under load', () => {
  beforeAll(() => startAll(programs ?? ''), 120_000)
  afterAll(async () => {
    for (const end of ends) await end()
    rmSync(folder, { recursive: true, force: true })
  })

  test('the event socket is cut for 30 s: no call is lost or doubled, and all statuses are right', async () => {
    webhook.answer('/talk', '<Response><Pause length="3"/><Hangup/></Response>')
    const ending = (index: number) => (index % 4 === 3 ? '0486' : index % 4 === 2 ? '0404' : '0007')
    const numberAt = (index: number) => `+1650${String(200 + index)}${ending(index)}`
    const calls = []
    for (let index = 0; index < 160; index++)
      calls.push(await business.call(numberAt(index), { url: webhook.url('/talk') }))
    await until('some calls are placed', () => (called().length > 30 ? true : undefined))
    cable.cut()
    await new Promise((resolve) => setTimeout(resolve, 30_000))
    const whileCut = called().length
    cable.mend()
    await eachEnds({ completed: 80, failed: 40, busy: 40 }, 90_000)
    expect(whileCut).toBeLessThan(160)
    expect(called().sort()).toEqual(calls.map(({ to }) => to).sort())
    expect(await peak()).toBeLessThanOrEqual(channels)
    await until('all is told', () => (webhook.requests('/status').length === 480 ? true : undefined), 60_000)
    const told = calls.map((call) => business.told(call).join(', '))
    expect([...new Set(told)].sort()).toEqual([
      '0 initiated, 1 busy 486',
      '0 initiated, 1 failed 404',
      '0 initiated, 1 ringing, 2 in-progress, 3 completed 200',
    ])
  }, 240_000)

  test('1,000 calls and 20 channels, one of the two servers killed in the middle', async () => {
    webhook.answer('/short', '<Response><Hangup/></Response>')
    const before = called().length
    const numbers: string[] = []
    for (let index = 0; index < 1000; index++) {
      const { to } = await business.call(`+1650${2_000_007 + index * 10}`, {
        ...{ url: webhook.url('/short'), statusCallbackEvent: ['completed'] },
      })
      numbers.push(to)
    }
    await until('a third is placed', () => (called().length - before > 300 ? true : undefined), 60_000)
    await servers[0].stop('SIGKILL')
    await eachEnds({ completed: 1080, failed: 40, busy: 40 }, 180_000)
    const placed = called().slice(before)
    expect(placed.length).toBe(1000)
    expect([...placed].sort()).toEqual([...numbers].sort())
    // FreeSWITCH runs each originate in a thread of its own, so those of one moment may pass each other.
    const positions = new Map(placed.map((number, position) => [number, position]))
    const strays = numbers.map((number, index) => Math.abs((positions.get(number) ?? 0) - index))
    expect(Math.max(...strays)).toBeLessThanOrEqual(channels)
    expect(await peak()).toBeLessThanOrEqual(channels)
    expect(JSON.parse(await freeswitch.api('show channels as json')).row_count).toBe(0)
  }, 400_000)
})
