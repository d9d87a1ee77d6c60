import { afterEach, expect, test } from 'vitest'
import type { Resource } from './support/carrier.ts'
import { until } from './support/programs.ts'
import { createSipClient, type SipClient } from './support/sip-client.ts'
import { useWorld } from './support/world.ts'

const world = useWorld()
const phones: SipClient[] = []
afterEach(() => {
  for (const phone of phones.splice(0)) phone.close()
})

async function createTrunk(): Promise<{ trunk: Resource; username: string; password: string }> {
  const trunk = await world.carrier.create('sip_trunks', {
    name: 'Softphones',
    authentication_mode: 'client_credentials',
    region: 'hydrogen',
  })
  return { trunk, username: String(trunk.attributes.username), password: String(trunk.attributes.password) }
}

async function phoneFor(username: string): Promise<SipClient> {
  const phone = await createSipClient(world.freeswitch.sip, username)
  phones.push(phone)
  return phone
}

const contactsAtSwitch = async () =>
  [
    ...(await world.freeswitch.api('sofia xmlstatus profile nat_gateway reg')).matchAll(/<user>([^@]*)@/g),
  ].map(([, user]) => user)

type Shown = {
  state: string
  contacts: { contact: string; user_agent: string; network_port: number; expires_at: string }[]
}
const becomes = (trunk: Resource, state: string) =>
  until(`the trunk is ${state}`, async () => {
    const registration = (await world.carrier.show('sip_trunks', trunk.id)).meta?.registration as Shown
    return registration.state === state ? registration : undefined
  })

async function timed<Result>(
  what: string,
  deed: () => Promise<Result>,
  until_: () => Promise<true | undefined>,
) {
  const since = performance.now()
  const result = await deed()
  await until(what, until_, 5000)
  const ms = Math.round(performance.now() - since)
  console.log(`${what} ${ms} ms after the request`)
  expect(ms).toBeLessThan(2000)
  return result
}

test('a client that registers is shown; unregistered it is not', async () => {
  const { trunk, username, password } = await createTrunk()
  const phone = await phoneFor(username)
  expect(await phone.register('wrong-password')).toBe(403)
  expect(await phone.register(password)).toBe(200)
  const { contacts } = await becomes(trunk, 'registered')
  expect(contacts).toEqual([
    {
      contact: expect.stringContaining(`<sip:${username}@127.0.0.1:${phone.port}>`),
      user_agent: 'Live phone/1.0',
      network_ip: '127.0.0.1',
      network_port: phone.port,
      since: expect.any(String),
      expires_at: expect.any(String),
    },
  ])
  expect(Math.abs(Date.parse(contacts[0]?.expires_at ?? '') - Date.now() - 300_000)).toBeLessThan(10_000)
  expect(await phone.register(password, 0)).toBe(200)
  await becomes(trunk, 'unregistered')
})

test('old credentials are worth nothing within two seconds, new ones at once', async () => {
  const { trunk, username, password } = await createTrunk()
  const [phone, other] = [await phoneFor(username), await phoneFor(username)]
  expect(await phone.register(password)).toBe(200)
  expect(await other.register(password)).toBe(200)
  await becomes(trunk, 'registered')
  const changed = await timed(
    'both contacts of the old password were gone',
    () => world.carrier.update(trunk, { password: 'another-secret' }),
    async () => ((await contactsAtSwitch()).length === 0 ? true : undefined),
  )
  await becomes(changed, 'unregistered')
  expect(await phone.register(password)).toBe(403)
  expect(await phone.register('another-secret')).toBe(200)
  await becomes(changed, 'registered')
  await timed(
    'the contact of the old user name was gone',
    () => world.carrier.update(trunk, { username: `${username}-new` }),
    async () => ((await contactsAtSwitch()).length === 0 ? true : undefined),
  )
  expect(await phone.register('another-secret')).toBe(403)
  expect(await (await phoneFor(`${username}-new`)).register('another-secret')).toBe(200)
  await timed(
    'the contact of the deleted trunk was gone',
    () => world.carrier.remove(trunk),
    async () => ((await contactsAtSwitch()).length === 0 ? true : undefined),
  )
})
