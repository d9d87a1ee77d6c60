import { type Leg, placedMark, profile, writeOriginate } from '../dialplan-action.ts'
import type { SipUser } from '../sip-uri.ts'
import type { EventSocket, Reply } from './connection.ts'
import {
  type GatewayStatus,
  type LiveChannels,
  type RegistrationStatus,
  readChannels,
  readGatewayStatus,
  readRegistrations,
} from './status.ts'

// The only place where commands of the event socket are put together: of own identifiers and checked parts alone.

/** What became of a command: done, refused by the switch, or lost on the way (`sent`: it may have been done). */
export type Result<Value> =
  | { kind: 'done'; value: Value }
  | { kind: 'refused'; problem: string }
  | { kind: 'lost'; sent: boolean; problem: string }

/** How an originate ended: answered, or FreeSWITCH's hangup cause. */
export type Originated = { kind: 'answered' } | { kind: 'failed'; cause: string }

/** Our words for what a switch can be told. */
export type Commands = ReturnType<typeof createCommands>

const startPatienceMs = 20_000
const mostSeconds = 86_400

/** The commands of the switch at the other end of a connection. */
export const createCommands = (socket: EventSocket) => ({
  ...gatewayCommands(socket),
  ...clientCommands(socket),
  ...callCommands(socket),
})

const gatewayCommands = (socket: EventSocket) => ({
  /** Has the switch fetch a gateway and start it. Done says no more than that it tried (freeswitch.md 2.3): look for
   * `gateway-added`. */
  startGateway: async (trunkId: string): Promise<Result<null>> =>
    nothing(await socket.background(sofia(`startgw ${uuid(trunkId)}`), startPatienceMs)),

  /** Has the switch unregister and delete a gateway, which takes until `gateway-deleted`. */
  killGateway: async (trunkId: string): Promise<Result<null>> =>
    nothing(await socket.api(sofia(`killgw ${uuid(trunkId)}`))),

  /** Names of all gateways that are up (registered) and down, also those that are being deleted. */
  listGateways: async (): Promise<Result<{ up: string[]; down: string[] }>> => {
    const [up, down] = await Promise.all([
      socket.api(sofia('gwlist up')).then((reply) => read(reply, gatewayNames)),
      socket.api(sofia('gwlist down')).then((reply) => read(reply, gatewayNames)),
    ])
    if (up.kind !== 'done') return up
    return down.kind === 'done' ? { kind: 'done', value: { up: up.value, down: down.value } } : down
  },

  /** The trunk version that a gateway carries; null when there is none, or it is being deleted. */
  gatewayVersion: async (trunkId: string): Promise<Result<number | null>> =>
    read(await socket.api(`sofia_gateway_data ${uuid(trunkId)} var trunk_version`), (text) =>
      /^\d{1,9}$/.test(text.trim()) ? Number(text) : null,
    ),

  /** A gateway's state; null when there is none, or it is being deleted. */
  gatewayStatus: async (trunkId: string): Promise<Result<GatewayStatus | null>> =>
    read(await socket.api(`sofia xmlstatus gateway ${uuid(trunkId)}`), readGatewayStatus),

  /** Has a gateway register at once, whatever it waits for. */
  registerGateway: async (trunkId: string): Promise<Result<null>> =>
    nothing(await socket.api(sofia(`register ${uuid(trunkId)}`))),
})

const clientCommands = (socket: EventSocket) => ({
  /** Every contact that clients have registered. */
  registrations: async (): Promise<Result<RegistrationStatus[]>> =>
    read(await socket.api(`sofia xmlstatus profile ${profile} reg`), readRegistrations),

  /** Forgets one contact of a realm by the Call-ID of its REGISTER; its calls go on. The client chose the Call-ID: one
   * that a command cannot have, or that means more to this command than one contact, is refused. */
  flushContact: async (registrationId: string, realm: string): Promise<Result<null>> =>
    isPlainCallId(registrationId, realm)
      ? nothing(await socket.api(sofia(`flush_inbound_reg ${registrationId}`)))
      : { kind: 'refused', problem: 'The Call-ID is none that a command can have.' },

  /** Forgets every contact of a digest user of a realm; its calls go on. */
  flushUser: async (username: SipUser, realm: string): Promise<Result<null>> =>
    nothing(await socket.api(sofia(`flush_inbound_reg ${username}@${word(realm)}`))),
})

const callCommands = (socket: EventSocket) => ({
  /** Calls out on a leg whose variables name the channel (`origination_uuid`); once answered it hunts `callId` in
   * context `twiml`. The result comes when it is answered or has failed; `accepted` is called before, once the switch
   * has taken the order. */
  originate: async (
    leg: Leg,
    callId: string,
    patienceSeconds: number,
    accepted?: () => void,
  ): Promise<Result<Originated>> =>
    read(
      await socket.background(
        `originate ${writeOriginate(leg)} ${uuid(callId)} XML twiml`,
        patienceSeconds * 1000,
        accepted,
      ),
      originated,
    ),

  /** Whether the switch has begun to call on a channel whose leg carried `legMarksPlaced`, also when that is over. */
  wasPlaced: async (channelUuid: string): Promise<Result<boolean>> =>
    read(await socket.api(`hash select/${placedMark(uuid(channelUuid))}`), (text) =>
      text.trim() === '1' ? true : /^(-ERR no reply)?\s*$/.test(text) ? false : undefined,
    ),

  /** Has the switch forget that. */
  forgetPlaced: async (channelUuid: string): Promise<Result<null>> =>
    nothing(await socket.api(`hash delete/${placedMark(uuid(channelUuid))}`)),

  /** Whether a channel is there. */
  channelExists: async (channelUuid: string): Promise<Result<boolean>> =>
    read(await socket.api(`uuid_exists ${uuid(channelUuid)}`), (text) =>
      text.trim() === 'true' ? true : text.trim() === 'false' ? false : undefined,
    ),

  /** Ends a channel with a hangup cause; refused when there is no such channel. */
  hangUp: async (channelUuid: string, cause = 'NORMAL_CLEARING'): Promise<Result<null>> =>
    nothing(await socket.api(`uuid_kill ${uuid(channelUuid)} ${causeName(cause)}`)),

  /** Ends a channel in so many seconds (one at the least), instead of when it was to end; refused when there is no such
   * channel. What a switch has scheduled for a channel goes by the channel's UUID. */
  hangUpAfter: async (channelUuid: string, seconds: number): Promise<Result<null>> => {
    const forgotten = await socket.api(`sched_del ${uuid(channelUuid)}`)
    if (forgotten.kind === 'lost') return forgotten
    const after = Math.min(Math.max(1, Math.ceil(seconds)), mostSeconds)
    return nothing(await socket.api(`sched_hangup +${after} ${channelUuid} ALLOTTED_TIMEOUT`))
  },

  /** Has a channel drop what it does and hunt `callId` in context `twiml` again, for the newest part of its TwiML. A
   * transfer out of `record` would end the call (1.10.12 takes it for a failure of the recording); broken off, it is
   * followed by the way back to us that stands behind every Record. */
  comeBack: async (channelUuid: string, callId: string): Promise<Result<null>> => {
    const transfer = `uuid_transfer ${uuid(channelUuid)} ${uuid(callId)} XML twiml`
    const running = await socket.api(`uuid_getvar ${channelUuid} current_application`)
    const recording = running.kind === 'reply' && running.text.trim() === 'record'
    return nothing(await socket.api(recording ? `uuid_break ${channelUuid}` : transfer))
  },

  /** All channels on the switch. */
  channels: async (): Promise<Result<LiveChannels>> =>
    read(await socket.api('show channels as json'), readChannels),
})

// To flush_inbound_reg, `x@trunks` is a user, `trunks` every user of the realm, and `reboot` everybody (mod_sofia.c,
// sofia_reg_expire_call_id).
function isPlainCallId(text: string, realm: string): boolean {
  const match = /^[A-Za-z0-9.!%*_+~():/?{}[\]<>-]{1,200}(?:@([A-Za-z0-9.:[\]-]{1,100}))?$/.exec(text)
  if (match === null) return false
  return ![realm, 'reboot'].includes((match[1] ?? text).toLowerCase())
}

const sofia = (words: string) => `sofia profile ${profile} ${words}`

function originated(text: string): Originated | undefined {
  if (text.startsWith('+OK')) return { kind: 'answered' }
  const cause = /^-ERR ([A-Z][A-Z0-9_]*)\s*$/.exec(text)?.[1]
  return cause === undefined ? undefined : { kind: 'failed', cause }
}

// What prints nothing is answered by "-ERR no reply".
function gatewayNames(text: string): string[] | undefined {
  if (text.startsWith('-ERR no reply')) return []
  return /^(Invalid|-ERR)/.test(text) ? undefined : text.split(/\s+/).filter((name) => name !== '')
}

// A reader gives the value of an answer, or undefined when the answer is a refusal.
function read<Value>(reply: Reply, reader: (text: string) => Value | undefined): Result<Value> {
  if (reply.kind === 'lost') return reply
  const value = reader(reply.text)
  if (value === undefined) return { kind: 'refused', problem: reply.text.trim().slice(0, 200) }
  return { kind: 'done', value }
}

// `startgw` prints what it did to the XML before its own answer.
const nothing = (reply: Reply): Result<null> =>
  read(reply, (text) => (/^\+OK/m.test(text) ? null : undefined))

const uuid = (text: string) =>
  matching(text, /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i)
const word = (text: string) => matching(text, /^[A-Za-z0-9_-]+$/)
const causeName = (text: string) => matching(text, /^[A-Z][A-Z0-9_]{1,60}$/)

function matching(text: string, form: RegExp): string {
  if (!form.test(text)) throw new Error(`A command must hold ${form}, not ${JSON.stringify(text)}.`)
  return text
}
