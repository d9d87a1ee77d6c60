import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { beforeAll, expect, test } from 'vitest'
import { assignNumber } from './support/carrier.ts'
import { ack, final, hangUp, invite, pause } from './support/sip-script.ts'
import { useWorld } from './support/world.ts'

const world = useWorld()

beforeAll(async () => {
  await world.carrier.create('sip_trunks', {
    name: 'Provider',
    authentication_mode: 'ip_address',
    region: 'hydrogen',
    inbound_country: 'US',
    inbound_source_ips: ['127.0.0.2'],
  })
  await assignNumber(world.carrier, '+14155551234', { voice_url: world.webhook.url('/voice') })
})

// Each would leave a file `pwned` in the folder that all programs run in, if any of FreeSWITCH's interpreters got to
// see it.
const hostile = {
  'an API call': '${system(touch pwned)}',
  'an API call in the other form': '${system touch pwned} ${bg_system touch pwned}',
  'a global': '$${system touch pwned} $${switch_password}',
  'a preprocessor command': String.raw`it\'s &lt;X-PRE-PROCESS cmd="exec" data="touch pwned"/&gt;`,
  'a preprocessor comment': '&lt;!--#exec "touch pwned"--&gt;',
  'the end of an action': `'/&gt;&lt;action application="system" data="touch pwned"/&gt;`,
  'a shell command': '"; touch pwned; $(touch pwned) `touch pwned` | touch pwned',
  'an option of the speech program': '-w pwned',
}

test.each(Object.entries(hostile))('%s in a Say is spoken, and the next call works', async (_name, text) => {
  expect(await callHears(text)).toBeGreaterThan(200)
  expect(await callHears('All is well here.')).toBeGreaterThan(200)
  expect(existsSync(join(world.folder, 'pwned'))).toBe(false)
})

test('FreeSWITCH has no command and no application of the operating system', async () => {
  const { freeswitch } = world
  expect(await freeswitch.api('system touch pwned')).toMatch(/^-ERR/)
  const has = `${await freeswitch.api('show api')}\n${await freeswitch.api('show application')}`
  expect(has).toMatch(/^playback,/m)
  expect(has).not.toMatch(/^(bg_?)?(system|spawn|spawn_stream|lua|python|perl|curl),/m)
})

// The caller hangs up after a while: long texts need not be heard to their end.
async function callHears(text: string): Promise<number> {
  world.webhook.answer('/voice', `<Response><Say>${text}</Say><Pause length="20"/></Response>`)
  const ear = await world.ear('127.0.0.2')
  const caller = await world.sipp({
    steps: [invite({ ear }), ...final(200), ack(), pause(1500), ...hangUp()],
    from: '127.0.0.2',
    number: '14155551234',
  })
  expect(await caller.result()).toBe(0)
  return ear.heardMs()
}
