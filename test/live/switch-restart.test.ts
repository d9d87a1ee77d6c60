import { afterAll, beforeAll, expect, test } from 'vitest'
import type { Resource } from './support/carrier.ts'
import { type FreeSwitch, productConf, startFreeSwitch } from './support/freeswitch.ts'
import { until } from './support/programs.ts'
import { type Registrar, startRegistrar } from './support/registrar.ts'
import { useWorld } from './support/world.ts'

const world = useWorld()
const count = 200
const users = Object.fromEntries(
  Array.from({ length: count }, (_, index) => [`user${index}`, `secret${index}`]),
)
let pbx: Registrar
let freeswitch: FreeSwitch
const trunks: Resource[] = []

beforeAll(async () => {
  pbx = await startRegistrar(world.folder, 'pbx', users)
  freeswitch = world.freeswitch
  for (const [username, password] of Object.entries(users))
    trunks.push(
      await world.carrier.create('sip_trunks', {
        name: username,
        authentication_mode: 'outbound_registration',
        region: 'hydrogen',
        username,
        password,
        outbound_host: pbx.freeswitch.sip,
      }),
    )
}, 120_000)
afterAll(async () => {
  await freeswitch?.stop('SIGKILL')
  await pbx?.stop()
})

async function startAgain(name = 'switch'): Promise<void> {
  const { server, folder } = world
  freeswitch = await startFreeSwitch(folder, {
    name,
    conf: productConf,
    profile: 'nat_gateway',
    sipPort: Number(freeswitch.sip.split(':')[1]),
    eventSocketPort: freeswitch.eventSocket.port,
    env: { SWITCH_URL: server.switchUrl, SWITCH_PASSWORD: server.switchPassword },
  })
}

// A registrar that was restarted has nothing left of what came before.
async function forget(): Promise<void> {
  await pbx.die()
  await pbx.start()
}

/** Waits until every user has exactly one contact, at the switch; gives how long it took. */
async function allRegistered(since: number, withinMs: number): Promise<number> {
  const once = ([where, ...more]: string[]) => more.length === 0 && where === freeswitch.sip
  await until(
    `all ${count} are registered`,
    async () => {
      const contacts = [...(await pbx.contacts()).values()]
      return contacts.length === count && contacts.every(once) ? true : undefined
    },
    withinMs,
  )
  return Math.round(performance.now() - since)
}

async function allShown(): Promise<void> {
  await until(
    'every trunk is shown as registered',
    async () => {
      const lists = await Promise.all(trunks.map(({ id }) => world.carrier.show('sip_trunks', id)))
      const states = lists.map(({ meta }) => (meta?.registration as { state: string } | undefined)?.state)
      return states.every((state) => state === 'registered') ? true : undefined
    },
    20_000,
  )
}

test(`${count} new trunks are registered`, async () => {
  console.log(
    `${count} gateways registered ${await allRegistered(performance.now(), 30_000)} ms after the last was created`,
  )
  await allShown()
}, 60_000)

test(`a killed switch that starts again has all ${count} gateways within 30 s, each once`, async () => {
  await freeswitch.stop('SIGKILL')
  await forget()
  const removed = trunks.pop()
  if (removed === undefined) throw new Error('There are trunks.')
  await world.carrier.remove(removed)
  const added = await world.carrier.create('sip_trunks', {
    name: 'again',
    authentication_mode: 'outbound_registration',
    region: 'hydrogen',
    username: removed.attributes.username,
    password: users[String(removed.attributes.username)],
    outbound_host: pbx.freeswitch.sip,
  })
  trunks.push(added)
  const since = performance.now()
  await startAgain()
  const ms = await allRegistered(since, 30_000)
  console.log(
    `${count} gateways registered ${ms} ms after the start of the switch (its profile ran after ${freeswitch.startMs} ms)`,
  )
  await allShown()
  const running = (await freeswitch.api('sofia profile nat_gateway gwlist up')).split(/\s+/).sort()
  expect(running).toEqual(trunks.map(({ id }) => id).sort())
}, 120_000)

test(`a switch that starts before the server has all ${count} soon after the server is there`, async () => {
  await world.server.stop()
  await freeswitch.stop('SIGKILL')
  await forget()
  await startAgain()
  expect(await freeswitch.api('sofia profile nat_gateway gwlist')).toMatch(/no reply|^$/)
  const since = performance.now()
  await world.server.start()
  const ms = await allRegistered(since, 60_000)
  console.log(`${count} gateways registered ${ms} ms after the start of the server`)
  await allShown()
}, 120_000)

test(`a switch that starts again under another name has all ${count} too, each once`, async () => {
  await freeswitch.stop('SIGKILL')
  await forget()
  const since = performance.now()
  await startAgain('renamed')
  const ms = await allRegistered(since, 60_000)
  console.log(`${count} gateways registered ${ms} ms after the start of the switch under another name`)
  await allShown()
}, 120_000)
