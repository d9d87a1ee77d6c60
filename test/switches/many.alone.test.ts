import type { Hono } from 'hono'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { sipTrunks } from '../../src/db/schema.ts'
import { freeswitch } from '../../src/freeswitch/index.ts'
import type { Platform } from '../../src/platform.ts'
import { claimGateway, wishedVersion } from '../../src/switches/placement.ts'
import { encryptPassword } from '../../src/trunks/credentials.ts'
import { capturedFetch, post } from '../support/fetches.ts'
import { createTestPlatform } from '../support/platform.ts'
import { createTenant } from '../support/rows.ts'

// The embedded database runs inside the process, so its own work holds the event loop too: it is not for so many.
const many = process.env.TEST_DATABASE_URL === undefined ? 2000 : 20_000
const self = { id: '127.0.0.1:8021', region: 'hydrogen' }
let platforms: Platform[] = []

beforeAll(async () => {
  platforms = [await withGateways(20), await withGateways(many)]
}, 120_000)
afterAll(async () => {
  for (const { database } of platforms) await database.close()
})

async function withGateways(count: number): Promise<Platform> {
  const platform = await createTestPlatform()
  const { carrier } = await createTenant(platform)
  for (let start = 0; start < count; start += 1000) {
    const some = Array.from({ length: Math.min(1000, count - start) }, (_, index) => start + index)
    await platform.db.insert(sipTrunks).values(some.map((number) => trunkRow(platform, carrier.id, number)))
  }
  return platform
}

function trunkRow({ keys }: Platform, carrierId: string, number: number) {
  const id = crypto.randomUUID()
  return {
    id,
    carrierId,
    name: `Trunk ${number}`,
    authenticationMode: 'outbound_registration' as const,
    region: self.region,
    username: `user${number}`,
    passwordEncrypted: encryptPassword(keys, id, 'secret'),
    outboundHost: 'pbx.example.com',
  }
}

const wholeConf = (door: Hono) =>
  post(
    door,
    '/xml',
    'hostname=any&section=configuration&tag_name=configuration&key_name=name&key_value=sofia.conf',
  )

// What one turn of the event loop did: the time of the clock, less that in which other programs had the processor.
function watchTurns() {
  const turns: number[] = []
  let watching = true
  let [clock, cpu] = [performance.now(), process.cpuUsage()]
  const look = () => {
    const [now, used] = [performance.now(), process.cpuUsage(cpu)]
    turns.push(Math.min(now - clock, (used.user + used.system) / 1000))
    ;[clock, cpu] = [performance.now(), process.cpuUsage()]
    if (watching) setImmediate(look)
  }
  setImmediate(look)
  return () => {
    watching = false
    return turns.sort((a, b) => a - b)
  }
}

// Read as it comes: putting 17 MB together would be the longest turn of all.
async function countGateways(response: Response): Promise<number> {
  const decoder = new TextDecoder()
  let count = 0
  let rest = ''
  for await (const chunk of response.body ?? []) {
    const text = rest + decoder.decode(chunk, { stream: true })
    count += text.split('<gateway name="').length - 1
    rest = text.slice(-14)
  }
  return count
}

test('the gateways of a starting switch are served in pieces that hold nothing up', async () => {
  const [few, platform] = platforms
  if (few === undefined || platform === undefined) throw new Error('There are two platforms.')
  // The first request of all has code compiled, which takes longer than any piece.
  await countGateways(await wholeConf(freeswitch(few)))
  const door = freeswitch(platform)
  const stop = watchTurns()
  const started = performance.now()
  expect(await countGateways(await wholeConf(door))).toBe(many)
  const [ms, turns] = [performance.now() - started, stop().filter((turn) => turn > 0.5)]
  const at = (part: number) => turns[Math.floor((turns.length - 1) * part)] ?? 0
  console.log(
    `${many} gateways in ${Math.round(ms)} ms; busy turns of the event loop: median ${at(0.5).toFixed(1)} ms, ` +
      `p99 ${at(0.99).toFixed(1)} ms, longest ${at(1).toFixed(1)} ms`,
  )
  expect(at(0.99)).toBeLessThan(platform.database.embedded ? 200 : 10)
}, 60_000)

test('starting one gateway among many costs what it costs among 20', async () => {
  const medians = []
  for (const platform of platforms) {
    const door = freeswitch(platform)
    if (medians.length === 0) await (await wholeConf(door)).text()
    const trunks = await platform.db.select({ id: sipTrunks.id }).from(sipTrunks).limit(20)
    const times: number[] = []
    for (const { id } of trunks) {
      const started = performance.now()
      await claimGateway(platform.db, self, id, 'from nobody')
      expect(await wishedVersion(platform.db, self, id)).toBe(1)
      await post(door, '/xml', capturedFetch('configuration-sofia-startgw', { gateway: id }))
      times.push(performance.now() - started)
    }
    medians.push(times.sort((a, b) => a - b)[10] ?? 0)
  }
  const [few = 0, among = 0] = medians
  console.log(`One gateway: ${few.toFixed(1)} ms among 20, ${among.toFixed(1)} ms among ${many}`)
  expect(among).toBeLessThan(3 * few + 5)
}, 30_000)
