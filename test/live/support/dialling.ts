import { join } from 'node:path'
import twilio from 'twilio'
import { afterAll, beforeAll } from 'vitest'
import type { Resource } from './carrier.ts'
import { type FreeSwitch, startFreeSwitch } from './freeswitch.ts'
import { createProvider, type Line, openLine } from './line.ts'
import { until } from './programs.ts'
import type { World } from './world.ts'

const { VoiceResponse } = twilio.twiml
type Response = InstanceType<typeof VoiceResponse>

/** Attributes of a Dial, as the official package takes them. */
export type DialAttributes = NonNullable<Parameters<Response['dial']>[0]>

/** Attributes that Number and Sip have in common. */
export type NounAttributes = {
  statusCallback?: string
  statusCallbackEvent?: ('initiated' | 'ringing' | 'answered' | 'completed')[]
}

/** The PBX that Dials of a file lead to (pbx/freeswitch.xml), and trunks by the prefix of the numbers that they are for. */
export type FarEnds = {
  pbx?: FreeSwitch
  trunk(prefix: string, settings: object): Promise<Resource>
  trunks: ReadonlyMap<string, Resource>
}

/** Gives the tests of a file a PBX behind trunks for +1650 (and, with one channel, +1653), a trunk to a host that nobody is
 * at (+1651) and one that cannot register (+1652). */
export function useFarEnds(world: World): FarEnds {
  const trunks = new Map<string, Resource>()
  const trunk = async (prefix: string, settings: object) => {
    const made = await world.carrier.create('sip_trunks', {
      ...{ name: `To ${prefix}`, authentication_mode: 'ip_address', region: 'hydrogen' },
      ...{ inbound_source_ips: ['192.0.2.1'], outbound_route_prefixes: [prefix], ...settings },
    })
    trunks.set(prefix, made)
    return made
  }
  const farEnds: FarEnds = { trunk, trunks }
  beforeAll(async () => {
    farEnds.pbx = await startFreeSwitch(world.folder, {
      ...{ name: 'pbx', conf: join(import.meta.dirname, '..', 'pbx'), profile: 'pbx' },
      env: { PBX_AUTH_CALLS: 'false' },
    })
    await createProvider(world)
    const { sip } = farEnds.pbx
    await trunk('1650', { name: 'PBX', outbound_host: sip })
    await trunk('1651', { name: 'Nowhere', outbound_host: '127.0.0.9:5999' })
    await trunk('1653', { name: 'One channel', outbound_host: sip, max_channels: 1 })
    await trunk('1652', {
      ...{ name: 'Not registered', authentication_mode: 'outbound_registration', username: 'nobody' },
      ...{ password: 'nothing', outbound_host: '127.0.0.9:5999' },
    })
  })
  afterAll(() => farEnds.pbx?.stop('SIGKILL'))
  return farEnds
}

/** A line that dials these numbers or SIP URIs, in a document that asks `dialled` afterwards; null: nothing. */
export async function lineThatDials(
  world: World,
  targets: readonly string[],
  dial: DialAttributes | null = {},
  noun: NounAttributes = {},
): Promise<Line> {
  const line = await openLine(world)
  line.answers('voice', dialling(targets, dial, noun))
  line.answers('dialled', new VoiceResponse())
  line.answers('next', new VoiceResponse())
  return line
}

/** That document. */
export function dialling(
  targets: readonly string[],
  dial: DialAttributes | null = {},
  noun: NounAttributes = {},
): Response {
  const response = new VoiceResponse()
  const verb = response.dial(dial === null ? {} : { action: 'dialled', ...dial })
  for (const target of targets)
    if (/^sips?:/.test(target)) verb.sip(noun, target)
    else verb.number(noun, target)
  response.redirect('next')
  return response
}

/** The legs of the line's call, in the order in which they were dialled, once all are over. */
export const legsOf = (line: Line, callSid: string | undefined) =>
  until('all legs are over', async () => {
    const legs = await line.client.calls.list({ parentCallSid: callSid ?? '' })
    return legs.every(({ endTime }) => endTime !== null) ? legs.reverse() : undefined
  })
