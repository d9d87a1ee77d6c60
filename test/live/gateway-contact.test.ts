import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { assignNumber } from './support/carrier.ts'
import { type FreeSwitch, startFreeSwitch } from './support/freeswitch.ts'
import { until } from './support/programs.ts'
import { useWorld } from './support/world.ts'

const world = useWorld()
const number = '14155551234'
let pbx: FreeSwitch

beforeAll(async () => {
  pbx = await startFreeSwitch(world.folder, {
    name: 'pbx',
    conf: join(import.meta.dirname, 'pbx'),
    profile: 'pbx',
  })
})
afterAll(() => pbx?.stop('SIGKILL'))

test('a registrar that sends our whole contact back, so that only To holds the number, reaches the number', async () => {
  const { carrier, freeswitch, webhook } = world
  const trunk = await carrier.create('sip_trunks', {
    name: 'Office PBX',
    authentication_mode: 'outbound_registration',
    region: 'hydrogen',
    inbound_country: 'US',
    username: 'alice',
    password: 'alice-secret',
    outbound_host: pbx.sip,
  })
  await assignNumber(carrier, `+${number}`, { voice_url: webhook.url('/voice') })
  webhook.answer('/voice', '<Response><Say>Good morning.</Say></Response>')
  await until('the trunk is registered', async () =>
    /State\s+REGED/.test(await freeswitch.api(`sofia status gateway ${trunk.id}`)) ? true : undefined,
  )
  const contact = await pbx.api('sofia_contact pbx/alice@pbx')
  expect(contact).toContain(`gw+${trunk.id}@`)
  const options = `{origination_caller_id_number=6703,sip_invite_to_uri=<sip:${number}@pbx>}`
  expect(await pbx.api(`originate ${options}${contact.trim()} &park()`)).toMatch(/^\+OK/)
  const request = await until('the webhook is asked', () => webhook.requests('/voice')[0])
  expect(request.params).toMatchObject({ From: '6703', To: `+${number}` })
  const [call] = await carrier.list('phone_calls')
  expect(call?.attributes).toMatchObject({ direction: 'inbound', to: `+${number}` })
  const test = { direction: 'inbound', to: number, from: '6703', gateway_id: trunk.id }
  expect((await carrier.create('route_tests', test)).attributes).toMatchObject({ trunk_id: trunk.id })
})
