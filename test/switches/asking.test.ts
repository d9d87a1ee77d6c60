import { createHash } from 'node:crypto'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, expect, test } from 'vitest'
import { freeswitch } from '../../src/freeswitch/index.ts'
import type { Platform } from '../../src/platform.ts'
import { announceSwitches, switchesOf, takeHold } from '../../src/switches/hold.ts'
import type { Trunk } from '../../src/trunks/trunk.ts'
import { post } from '../support/fetches.ts'
import { createTestPlatform } from '../support/platform.ts'
import { createTenant, createTrunk } from '../support/rows.ts'

// Gateways carry passwords: they are for our switches, by name or address, and for nobody else who has the door's password.

let platform: Platform
let trunk: Trunk
const folder = mkdtempSync(join(tmpdir(), 'asking-'))

afterEach(() => platform.database.close())
afterAll(() => rmSync(folder, { recursive: true }))

async function open(...hosts: string[]) {
  const file = join(mkdtempSync(`${folder}/`), 'regions.json')
  const switches = hosts.map((host) => ({ host, port: 8021, password: 'ClueCon' }))
  writeFileSync(file, JSON.stringify([{ alias: 'hydrogen', identifier: 'h', human_name: 'H', switches }]))
  platform = await createTestPlatform({ EVENT_SOCKET: 'on', REGIONS_FILE: file })
  await announceSwitches(platform.db, switchesOf(platform.env.regions))
  const tenant = await createTenant(platform)
  const ids = hosts.map((host) => `${host}:8021`)
  // A trunk whose gateway is the last one's, however many of them run.
  do {
    trunk = await createTrunk(platform, tenant, {
      ...{ authenticationMode: 'outbound_registration', username: 'u', password: 'p' },
      outboundHost: 'pbx.example.com',
    })
  } while (ids.some((id) => rank(id) > rank(ids.at(-1) ?? '')))
}

const rank = (switchId: string) => createHash('md5').update(`${trunk.id}${switchId}`).digest('hex')

// What its event socket tells of a switch that has connected.
const tellName = (host: string, name: string) =>
  takeHold(platform.db, `${host}:8021`, '00000000-0000-4000-8000-000000000001', name)

async function served(hostname: string, address = '192.0.2.99') {
  const fields = { hostname, section: 'configuration', tag_name: 'configuration', key_name: 'name' }
  const asked = { ...fields, key_value: 'sofia.conf', 'FreeSWITCH-IPv4': address }
  const document = async (more: object) =>
    (
      await post(
        freeswitch(platform),
        '/xml',
        new URLSearchParams({ ...asked, profile: 'nat_gateway', ...more }).toString(),
      )
    ).text()
  const [whole, one] = [await document({}), await document({ gateway: trunk.id })]
  expect(whole).toContain('<profile name="nat_gateway">')
  expect(whole).toContain('<param name="auth-calls" value="false"/>')
  const gateway = `<gateway name="${trunk.id}">`
  return { whole: whole.includes(gateway), one: one.includes(gateway) }
}
const both = { whole: true, one: true }
const nothing = { whole: false, one: false }

test('the only switch, before anybody has heard its name, is whoever asks', async () => {
  await open('198.51.100.1')
  expect(await served('any')).toEqual(both)
})

test('once its name is known, no other gets its gateways', async () => {
  await open('198.51.100.1')
  await tellName('198.51.100.1', 'fs-1')
  expect(await served('unknown')).toEqual(nothing)
  expect(await served('fs-1')).toEqual(both)
})

test('a switch with a new name is known by its address, and behind a NAT as soon as its event socket has told', async () => {
  await open('198.51.100.1')
  await tellName('198.51.100.1', 'fs-1')
  expect(await served('fs-2', '198.51.100.1')).toEqual(both)
  expect(await served('fs-2', '10.0.0.7')).toEqual(nothing)
  await tellName('198.51.100.1', 'fs-2')
  expect(await served('fs-2', '10.0.0.7')).toEqual(both)
  expect(await served('fs-1', '10.0.0.7')).toEqual(nothing)
})

test('of several switches, the one whose name nobody has heard', async () => {
  await open('198.51.100.1', '198.51.100.2')
  expect(await served('fs-2')).toEqual({ whole: false, one: true })
  await tellName('198.51.100.1', 'fs-1')
  expect(await served('fs-2')).toEqual(both)
  await tellName('198.51.100.2', 'fs-2')
  expect(await served('unknown')).toEqual(nothing)
})
