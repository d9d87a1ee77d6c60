import { beforeAll, expect, test } from 'vitest'
import { assignNumber } from './support/carrier.ts'
import { until } from './support/programs.ts'
import { ack, cancel, final, hungUp, invite, pause } from './support/sip-script.ts'
import type { SipMessage } from './support/sipp.ts'
import { useWorld } from './support/world.ts'

// One business whose webhook does not answer while 120 of its calls wait, another that calls meanwhile.

const world = useWorld()
const numbers = { stalled: '14155550001', quick: '14155550002' }

beforeAll(async () => {
  await world.carrier.create('sip_trunks', {
    ...{ name: 'Provider', authentication_mode: 'ip_address', region: 'hydrogen', inbound_country: 'US' },
    inbound_source_ips: ['127.0.0.2', '127.0.0.3'],
  })
  for (const [name, number] of Object.entries(numbers))
    await assignNumber(world.carrier, `+${number}`, { voice_url: world.webhook.url(`/${name}`) })
  world.webhook.answer('/stalled', () => new Promise(() => {}))
  world.webhook.answer('/quick', '<Response><Say>Hello</Say><Hangup/></Response>')
})

/** Milliseconds from the first message of each call that begins so, to the first one that begins otherwise. */
function between(messages: readonly SipMessage[], from: string, to: string): number[] {
  const first = new Map<string, number>()
  const found = new Map<string, number>()
  for (const { firstLine, text, atMs } of messages) {
    const [, call = ''] = /^Call-ID: *(\S+)/im.exec(text) ?? []
    if (firstLine.startsWith(from) && !first.has(call)) first.set(call, atMs)
    if (firstLine.startsWith(to) && first.has(call) && !found.has(call))
      found.set(call, atMs - (first.get(call) ?? 0))
  }
  return [...found.values()].sort((a, b) => a - b)
}

const p = (sorted: readonly number[], share: number) => sorted[Math.floor((sorted.length - 1) * share)] ?? 0

async function quickCalls() {
  const sipp = await world.sipp({
    steps: [invite(), ...final(200), ack(), ...hungUp()],
    ...{ from: '127.0.0.3', number: numbers.quick, calls: 30, perSecond: 10, timeoutSeconds: 60 },
  })
  expect(await sipp.result()).toBe(0)
  const times = between(sipp.messages(), 'INVITE', 'SIP/2.0 200')
  expect(times).toHaveLength(30)
  return times
}

test('120 calls whose webhook stalls slow no other, and who hangs up meanwhile is let go at once', async () => {
  const before = await quickCalls()
  const waiting = await world.sipp({
    steps: [
      invite(),
      '<recv response="100" optional="true"/>',
      '<recv response="183"/>',
      pause(9000),
      ...cancel(),
    ],
    ...{ from: '127.0.0.2', number: numbers.stalled, calls: 120, perSecond: 30, timeoutSeconds: 60 },
  })
  await until('all wait', () => (world.webhook.requests('/stalled').length === 120 ? true : undefined))
  const during = await quickCalls()
  expect(await waiting.result()).toBe(0)
  const endedAt = Date.now()
  await until('all calls are over', async () => {
    const open = await world.carrier.list('phone_calls', '?filter[status]=ringing,in-progress')
    return open.length === 0 ? true : undefined
  })
  const overAfter = Date.now() - endedAt
  const cancelled = between(waiting.messages(), 'CANCEL', 'SIP/2.0 487')
  console.log(
    `Answered after ${p(before, 0.5)} ms (p95 ${p(before, 0.95)}) before and ${p(during, 0.5)} ms (p95 ${p(during, 0.95)}) ` +
      `during; let go after ${p(cancelled, 0.5)} ms (longest ${p(cancelled, 1)}), over ${overAfter} ms after the last.`,
  )
  // How much slower is a matter of the machine, which runs all of it at once (the normal suite compares); a call that
  // waited for the stalled ones would wait for many seconds.
  expect(p(during, 0.5)).toBeLessThan(1000)
  expect(p(during, 0.95)).toBeLessThan(2000)
  expect(cancelled).toHaveLength(120)
  expect(p(cancelled, 0.95)).toBeLessThan(500)
  expect(overAfter).toBeLessThan(4000)
}, 120_000)
