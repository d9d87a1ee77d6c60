import { afterAll, beforeAll, expect, test } from 'vitest'
import { gatewayEndpoint, uriEndpoint, writeOriginate } from '../../src/dialplan-action.ts'
import { toDialledNumber, toSipUri } from '../../src/sip-uri.ts'
import { until } from './support/programs.ts'
import { type Registrar, startRegistrar } from './support/registrar.ts'
import { useWorld } from './support/world.ts'

const world = useWorld()
let itsp: Registrar

beforeAll(async () => {
  itsp = await startRegistrar(world.folder, 'itsp', { alice: 'alice-secret' }, '127.0.0.1')
})
afterAll(() => itsp?.stop())

test('a call to a provider does not go out with the password of another tenant who registers there', async () => {
  const { carrier, freeswitch } = world
  const trunk = await carrier.create('sip_trunks', {
    name: 'Of another tenant',
    authentication_mode: 'outbound_registration',
    region: 'hydrogen',
    username: 'alice',
    password: 'alice-secret',
    outbound_host: itsp.freeswitch.sip,
  })
  await until('it is registered', async () => {
    const { meta } = await carrier.show('sip_trunks', trunk.id)
    return (meta?.registration as { state: string } | undefined)?.state === 'registered' ? true : undefined
  })
  const number = toDialledNumber('14155551234')
  const uri = toSipUri(`sip:14155551234@${itsp.freeswitch.sip}`)
  if (number === null || uri === null) throw new Error('Both can be dialled.')
  const call = (dialString: string) => freeswitch.api(`originate ${dialString} &park()`)

  expect(await call(writeOriginate({ endpoint: uriEndpoint(uri), variables: {} }))).toBe('-ERR CALL_REJECTED')
  // What it would do otherwise, and what the tenant itself may do.
  expect(await call(uriEndpoint(uri))).toMatch(/^\+OK/)
  expect(await call(writeOriginate({ endpoint: gatewayEndpoint(trunk.id, number), variables: {} }))).toMatch(
    /^\+OK/,
  )
})
