import { afterAll, beforeAll, expect, test } from 'vitest'
import { assignNumber, type Resource } from './support/carrier.ts'
import { until } from './support/programs.ts'
import { type Registrar, startRegistrar } from './support/registrar.ts'
import { useWorld } from './support/world.ts'

const world = useWorld()
const users = { alice: 'alice-secret', bob: 'bob-secret', carol: 'carol "se$c<r&et%' }
let pbx: Registrar
let other: Registrar
const times: { change: string; ms: number }[] = []

beforeAll(async () => {
  const escaped = { ...users, carol: 'carol &quot;se$c&lt;r&amp;et%' }
  pbx = await startRegistrar(world.folder, 'pbx', escaped)
  other = await startRegistrar(world.folder, 'other-pbx', escaped)
})
afterAll(async () => {
  await pbx?.stop()
  await other?.stop()
  if (times.length === 0) return
  const sorted = times.map(({ ms }) => ms).sort((a, b) => a - b)
  const median = sorted[Math.floor(sorted.length / 2)]
  const lines = times.map(({ change, ms }) => `  ${String(ms).padStart(5)} ms  ${change}`)
  console.log(
    `From the request until the registrars had it:\n${lines.join('\n')}\n  median ${median} ms, longest ${sorted.at(-1)} ms`,
  )
})

const registering = (settings: object = {}) => ({
  name: 'PBX',
  authentication_mode: 'outbound_registration',
  region: 'hydrogen',
  inbound_country: 'US',
  username: 'alice',
  password: users.alice,
  outbound_host: pbx.freeswitch.sip,
  ...settings,
})

/** Who is registered at both registrars: `alice` once, by the switch. */
type Expected = { pbx?: string[]; other?: string[] }

async function registered(): Promise<Required<Expected>> {
  const names = async (registrar: Registrar) =>
    [...(await registrar.contacts())].flatMap(([user, contacts]) => contacts.map(() => user)).sort()
  return { pbx: await names(pbx), other: await names(other) }
}

// The time runs from before the request is sent until both registrars have what they are to have. FreeSWITCH works on its
// gateways once a second, and a customer's change comes at any time in between.
async function timed<Result>(
  change: string,
  deed: () => Promise<Result>,
  expected: Expected,
): Promise<Result> {
  const wanted = JSON.stringify({ pbx: [], other: [], ...expected })
  await new Promise((resolve) => setTimeout(resolve, Math.random() * 1000))
  const started = performance.now()
  const result = await deed()
  await until(
    `${change}: ${wanted}`,
    async () => (JSON.stringify(await registered()) === wanted ? true : undefined),
    15_000,
  )
  times.push({ change, ms: Math.round(performance.now() - started) })
  return result
}

const shown = (trunk: Resource, state: string, version: number) =>
  until(`the trunk is shown as ${state} in version ${version}`, async () => {
    const { meta } = await world.carrier.show('sip_trunks', trunk.id)
    const registration = meta?.registration as { state: string; running_version: number } | undefined
    return registration?.state === state && registration.running_version === version ? true : undefined
  })

test('each change of a trunk is at the registrar within seconds, and calls go on', async () => {
  const { carrier, freeswitch, webhook } = world
  webhook.answer('/hold', '<Response><Say>Hold on.</Say><Pause length="120"/></Response>')
  await assignNumber(carrier, '+14155551234', { voice_url: webhook.url('/hold') })
  const trunk = await timed('create', () => carrier.create('sip_trunks', registering()), { pbx: ['alice'] })
  await shown(trunk, 'registered', 1)
  const { id } = trunk
  const uri = (await pbx.freeswitch.api('sofia_contact pbx/alice@pbx')).replace(/^sofia\/pbx\/sip:[^@]*@/, '')
  expect(
    await pbx.freeswitch.api(`originate {sip_invite_domain=pbx}sofia/pbx/sip:14155551234@${uri} &park()`),
  ).toMatch(/^\+OK/)
  const channels = async () =>
    Number(/^(\d+) total/.exec((await freeswitch.api('show channels count')).trim())?.[1])
  await until('the call is on', async () => ((await channels()) === 1 ? true : undefined))

  const update = (attributes: object) => carrier.update(trunk, attributes)
  await timed('password, to a wrong one', () => update({ password: 'wrong-secret' }), { pbx: [] })
  await shown(trunk, 'failed', 2)
  await timed('password, to the right one', () => update({ password: users.alice }), { pbx: ['alice'] })
  await timed('username and password', () => update({ username: 'bob', password: users.bob }), {
    pbx: ['bob'],
  })
  await timed(
    'a password with every kind of character',
    () => update({ username: 'carol', password: users.carol }),
    { pbx: ['carol'] },
  )
  await timed('auth_user', () => update({ username: 'alice', auth_user: 'bob', password: users.bob }), {
    pbx: ['alice'],
  })
  await timed('outbound_host', () => update({ outbound_host: other.freeswitch.sip }), { other: ['alice'] })
  await timed(
    'outbound_proxy',
    () => update({ outbound_host: 'pbx.example.test:5099', outbound_proxy: pbx.freeswitch.sip }),
    { pbx: ['alice'] },
  )
  await timed('outbound_proxy, to another', () => update({ outbound_proxy: other.freeswitch.sip }), {
    other: ['alice'],
  })
  await timed(
    'no auth_user, no outbound_proxy',
    () =>
      update({
        auth_user: null,
        outbound_proxy: null,
        outbound_host: pbx.freeswitch.sip,
        password: users.alice,
      }),
    { pbx: ['alice'] },
  )
  await shown(trunk, 'registered', 10)
  await timed(
    'to ip_address',
    () => update({ authentication_mode: 'ip_address', inbound_source_ips: ['192.0.2.1'] }),
    {},
  )
  const { name, region, ...credentials } = registering()
  await timed('from ip_address', () => update(credentials), { pbx: ['alice'] })
  await timed('to client_credentials', () => update({ authentication_mode: 'client_credentials' }), {})
  await timed('from client_credentials', () => update(credentials), { pbx: ['alice'] })
  await timed(
    'two changes within a second',
    async () => {
      await update({ username: 'bob', password: users.bob })
      await update({ username: 'carol', password: users.carol })
    },
    { pbx: ['carol'] },
  )
  await timed('delete', () => carrier.remove(trunk), {})

  expect(await channels()).toBe(1)
  expect(await freeswitch.api(`sofia xmlstatus gateway ${id}`)).toBe('Invalid Gateway!')
  const sorted = times.map(({ ms }) => ms).sort((a, b) => a - b)
  expect(sorted[Math.floor(sorted.length / 2)]).toBeLessThan(3000)
  expect(sorted.at(-1)).toBeLessThan(10_000)
}, 120_000)
