import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { beforeAll, expect, test } from 'vitest'
import { assignNumber } from './support/carrier.ts'
import { ack, final, hungUp, invite } from './support/sip-script.ts'
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

// Each would leave the file `canary` behind if any of FreeSWITCH's interpreters got to see it.
const hostile = (canary: string): [name: string, say: string][] => [
  ['an API call', `\${system(touch ${canary})}`],
  ['an API call in the other form', `\${system touch ${canary}} \${bg_system touch ${canary}}`],
  ['a global', `$\${system touch ${canary}} $\${switch_password}`],
  ['a preprocessor command', `it\\'s &lt;X-PRE-PROCESS cmd="exec" data="touch ${canary}"/&gt;`],
  ['a preprocessor comment', `&lt;!--#exec "touch ${canary}"--&gt;`],
  ['what ends an action', `'/&gt;&lt;action application="system" data="touch ${canary}"/&gt;`],
  ['a shell command', `"; touch ${canary}; $(touch ${canary}) \`touch ${canary}\` | touch ${canary}`],
  ['an option of the speech program', `-w ${canary}`],
]

test.each(hostile('$CANARY').map(([name], index) => [name, index] as const))(
  '%s in a Say is spoken, and the next call works',
  async (_name, index) => {
    const canary = join(world.folder, `pwned-${index}`)
    const [, text = ''] = hostile(canary)[index] ?? []
    expect(await callHears(`<Response><Say>${text}</Say></Response>`)).toBeGreaterThan(200)
    expect(await callHears('<Response><Say>All is well here.</Say></Response>')).toBeGreaterThan(200)
    expect(existsSync(canary)).toBe(false)
  },
)

async function callHears(twiml: string): Promise<number> {
  world.webhook.answer('/voice', twiml)
  const ear = await world.ear('127.0.0.2')
  const caller = await world.sipp({
    steps: [invite({ ear }), ...final(200), ack(), ...hungUp()],
    from: '127.0.0.2',
    number: '14155551234',
  })
  expect(await caller.result()).toBe(0)
  return ear.heardMs()
}
