import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { assignNumber } from './support/carrier.ts'
import { type FreeSwitch, startFreeSwitch } from './support/freeswitch.ts'
import { until } from './support/programs.ts'
import { ackRefusal, final, invite } from './support/sip-script.ts'
import { useWorld } from './support/world.ts'

const world = useWorld()
const number = '14155551234'
let pbx: FreeSwitch

beforeAll(async () => {
  const conf = join(import.meta.dirname, 'pbx')
  pbx = await startFreeSwitch(world.folder, { name: 'pbx', conf, profile: 'pbx' })
})
afterAll(() => pbx?.stop('SIGKILL'))

test('a trunk that registers takes calls of its registrar, whoever the caller is, and of nobody else', async () => {
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
  await until('the trunk is registered', async () => {
    const status = await freeswitch.api(`sofia status gateway ${trunk.id}`)
    return /State\s+REGED/.test(status) ? true : undefined
  })

  const contact = await pbx.api('sofia_contact pbx/alice@pbx')
  const uri = contact.replace(/^sofia\/pbx\/sip:[^@]*@/, '')
  const caller = '{origination_caller_id_number=6703,sip_invite_domain=pbx}'
  const called = await pbx.api(`originate ${caller}sofia/pbx/sip:${number}@${uri} &park()`)
  expect(called).toMatch(/^\+OK/)
  const [request] = await until('the webhook is asked', () => {
    const requests = webhook.requests('/voice')
    return requests.length > 0 ? requests : undefined
  })
  expect(request?.params).toMatchObject({ From: '6703', To: `+${number}` })

  const forger = await world.sipp({
    steps: [invite({ uriParameters: `;gw=${trunk.id}` }), ...final(407), ackRefusal()],
    from: '127.0.0.9',
    number,
  })
  expect(await forger.result()).toBe(0)
})
