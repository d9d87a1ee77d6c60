import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { freeswitch } from '../../src/freeswitch/index.ts'
import type { Platform } from '../../src/platform.ts'
import { type StartedSwitches, startSwitches } from '../../src/switches/switches.ts'
import { type FakeFreeswitch, startFakeFreeswitch } from './fake-freeswitch.ts'
import { createTestPlatform, platformOn } from './platform.ts'

/** Fake switches in regions, and as many server processes on one database as are started. */
export type Fleet = {
  platform: Platform
  /** By name. */
  switches: Record<string, FakeFreeswitch>
  /** Starts a server process that looks after the switches. */
  startServer(): Promise<StartedSwitches>
  /** The gateways, with versions, that the whole sofia.conf of a switch holds. */
  wholeConf(name: string): Promise<Map<string, number>>
  close(): Promise<void>
}

/** Patience and pace of tests: everything forty times faster than in earnest. */
const pace = { tick: 50, check: 700, heldFor: 4500, goneFor: 1000 }
const patience = { connect: 1000, reply: 1000, keepalive: 100, retry: 20, longestRetry: 100 }

/** Starts fake switches by region: `{ hydrogen: ['s1', 's2'] }`. Each is served by the real door. `replyMs`: how long the
 * servers wait for an answer, more where they have much to do themselves. `checkMs`: how often they compare everything. */
export async function startFleet(
  regions: Record<string, string[]>,
  replyMs = 1000,
  checkMs = pace.check,
): Promise<Fleet> {
  const switches: Record<string, FakeFreeswitch> = {}
  for (const name of Object.values(regions).flat()) switches[name] = await startFakeFreeswitch({ name })
  const folder = mkdtempSync(join(tmpdir(), 'fleet-'))
  const file = join(folder, 'regions.json')
  writeFileSync(
    file,
    JSON.stringify(Object.entries(regions).map(([alias, names]) => region(alias, names, switches))),
  )
  const platform = await createTestPlatform({ EVENT_SOCKET: 'on', REGIONS_FILE: file })
  const door = freeswitch(platform)
  const servers: StartedSwitches[] = []
  const conf = async (fields: Record<string, string>) => {
    const form = {
      section: 'configuration',
      tag_name: 'configuration',
      key_name: 'name',
      key_value: 'sofia.conf',
    }
    const body = new URLSearchParams({ ...form, ...fields })
    return versionsIn(await (await door.request('/xml', { method: 'POST', body })).text())
  }
  for (const [name, fake] of Object.entries(switches)) {
    fake.serve = async (gateway) =>
      (await conf({ hostname: name, profile: 'nat_gateway', reconfig: 'true', gateway })).get(gateway) ?? null
  }
  return {
    platform,
    switches,
    startServer: async () => {
      const server = await startSwitches(
        platformOn(platform.database, platform.env),
        { ...pace, check: checkMs },
        { ...patience, reply: replyMs },
      )
      servers.push(server)
      return server
    },
    wholeConf: (name) => conf({ hostname: name }),
    close: async () => {
      for (const server of servers) await server.stop()
      for (const fake of Object.values(switches)) await fake.close()
      await platform.database.close()
      rmSync(folder, { recursive: true })
    },
  }
}

const region = (alias: string, names: string[], switches: Record<string, FakeFreeswitch>) => ({
  alias,
  identifier: alias,
  human_name: alias,
  switches: names.map((name) => ({ host: '127.0.0.1', port: switches[name]?.port, password: 'ClueCon' })),
})

function versionsIn(document: string): Map<string, number> {
  const gateways = document.split('<gateway name="').slice(1)
  return new Map(
    gateways.map((text) => [text.slice(0, 36), Number(/name="trunk_version" value="(\d+)"/.exec(text)?.[1])]),
  )
}
