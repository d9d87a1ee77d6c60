import type { Hono } from 'hono'
import type { FakeFreeswitch } from './fake-freeswitch.ts'
import { capturedFetch } from './fetches.ts'

/** What the far end does with a call: `channel: false`, FreeSWITCH does not even try (its gateway is down). */
export type FarEnd = {
  channel?: false
  /** Milliseconds until it rings; absent: it does not. */
  ringMs?: number
  /** Milliseconds after which it answers and, unless a document says otherwise, talks until it hangs up. */
  answerMs?: number
  talkMs?: number
  /** How it refuses, and after how long. */
  refuse?: { cause: string; sipCode?: number; afterMs: number }
}

/** A call that the fake was told to place. */
export type Originate = {
  channelUuid: string
  callId: string
  endpoint: string
  variables: Record<string, string>
}

/** Calls on a fake switch: it places them, tells their events, fetches their dialplan when they are answered, and posts
 * their CDRs, in the order in which FreeSWITCH does. */
export type FakeCalls = {
  /** Every originate that was taken, in order. */
  readonly originates: Originate[]
  /** Applications of each document that an answered call was given, by call id. */
  readonly documents: Map<string, string[][]>
  /** The most channels at once so far. */
  readonly mostAtOnce: number
  /** What is at the end of an endpoint. */
  farEnd: (originate: Originate) => FarEnd
  /** While false, CDRs are lost, as on a switch whose server is away. */
  postsCdrs: boolean
  /** Milliseconds for which FreeSWITCH thinks before it says that it takes an order. */
  thinkMs: number
}

type Channel = {
  call: Originate
  end: (ending: Ending) => void
  progressAt: number
  answerAt: number
}
type Ending = { cause: string; sipCode?: number | undefined }

/** Gives a fake switch calls; `door` is the switch listener that it asks and reports to. */
export function attachCalls(fake: FakeFreeswitch, door: Hono): FakeCalls {
  const channels = new Map<string, Channel>()
  const noted = new Set<string>()
  let mostAtOnce = 0
  const calls: FakeCalls = {
    originates: [],
    documents: new Map(),
    get mostAtOnce() {
      return mostAtOnce
    },
    farEnd: () => ({ ringMs: 5, answerMs: 10, talkMs: 20 }),
    postsCdrs: true,
    thinkMs: 0,
  }

  const stamp = (channel: Channel, more: Record<string, string>) => ({
    'Unique-ID': channel.call.channelUuid,
    'Caller-Channel-Progress-Time': String(channel.progressAt * 1000),
    'Caller-Channel-Progress-Media-Time': '0',
    'Caller-Channel-Answered-Time': String(channel.answerAt * 1000),
    ...more,
  })
  const hangUp = async (channel: Channel, { cause, sipCode }: Ending) => {
    if (!channels.delete(channel.call.channelUuid)) return
    fake.channels.delete(channel.call.channelUuid)
    const code: Record<string, string> =
      sipCode === undefined ? {} : { variable_sip_term_status: String(sipCode) }
    fake.emit(stamp(channel, { 'Event-Name': 'CHANNEL_HANGUP_COMPLETE', 'Hangup-Cause': cause, ...code }))
    if (calls.postsCdrs) await door.request('/cdr', { method: 'POST', body: cdrOf(channel, cause, sipCode) })
    channel.end({ cause, sipCode })
  }
  const fetchDialplan = async ({ call, progressAt, answerAt }: Channel) => {
    const body = capturedFetch('dialplan-outbound-answered', {
      hostname: fake.name,
      'Unique-ID': call.channelUuid,
      'Hunt-Destination-Number': call.callId,
      'Hunt-Channel-Progress-Time': String(progressAt * 1000),
      'Hunt-Channel-Answered-Time': String(answerAt * 1000),
    })
    const headers = { 'Content-Type': 'application/x-www-form-urlencoded' }
    const response = await door.request('/xml', { method: 'POST', body, headers })
    const applications = [...(await response.text()).matchAll(/<action application="([^"]*)"/g)].map(
      ([, application]) => application ?? '',
    )
    calls.documents.set(call.callId, [...(calls.documents.get(call.callId) ?? []), applications])
  }

  const run = async (channel: Channel, farEnd: FarEnd): Promise<string> => {
    const here = () => channels.has(channel.call.channelUuid)
    const ended = new Promise<Ending>((resolve) => {
      channel.end = resolve
    })
    const fail = async () => `-ERR ${(await ended).cause}\n`
    if (farEnd.ringMs !== undefined) {
      await wait(farEnd.ringMs)
      if (!here()) return fail()
      channel.progressAt = Date.now()
      fake.emit(stamp(channel, { 'Event-Name': 'CHANNEL_PROGRESS' }))
    }
    if (farEnd.refuse) {
      await wait(farEnd.refuse.afterMs)
      await hangUp(channel, farEnd.refuse)
      return fail()
    }
    const timeoutMs = Number(channel.call.variables.originate_timeout) * 1000
    const answered = wait(Math.min(farEnd.answerMs ?? timeoutMs, timeoutMs)).then(() => 'time' as const)
    if ((await Promise.race([answered, ended])) !== 'time') return fail()
    if (farEnd.answerMs === undefined || farEnd.answerMs > timeoutMs) {
      await hangUp(channel, { cause: 'NO_ANSWER' })
      return fail()
    }
    channel.answerAt = Date.now()
    fake.emit(stamp(channel, { 'Event-Name': 'CHANNEL_ANSWER' }))
    void talk(channel, farEnd)
    return `+OK ${channel.call.channelUuid}\n`
  }
  const talk = async (channel: Channel, { talkMs = 20 }: FarEnd) => {
    await fetchDialplan(channel)
    await wait(talkMs)
    await hangUp(channel, { cause: 'NORMAL_CLEARING', sipCode: 200 })
  }

  const originate = async (command: string): Promise<string> => {
    await wait(calls.thinkMs)
    const call = readOriginate(command)
    const farEnd = calls.farEnd(call)
    calls.originates.push(call)
    if (farEnd.channel === false) return `-ERR ${farEnd.refuse?.cause ?? 'GATEWAY_DOWN'}\n`
    if (fake.channels.has(call.channelUuid)) return '-ERR DESTINATION_OUT_OF_ORDER\n'
    const channel: Channel = { call, progressAt: 0, answerAt: 0, end: () => {} }
    channels.set(call.channelUuid, channel)
    fake.channels.add(call.channelUuid)
    if (call.variables.api_on_originate?.startsWith('hash insert/placed/')) noted.add(call.channelUuid)
    mostAtOnce = Math.max(mostAtOnce, channels.size)
    return run(channel, farEnd)
  }

  fake.answer = (command) => {
    const [verb = '', first = '', second] = command.split(' ')
    if (verb === 'originate') return originate(command)
    if (verb === 'uuid_exists') return String(fake.channels.has(first))
    if (verb === 'hash') return hash(noted, first)
    const channel = channels.get(first)
    if (verb === 'uuid_kill' && channel) {
      void hangUp(channel, { cause: second ?? 'NORMAL_CLEARING' })
      return '+OK\n'
    }
    if (verb === 'uuid_getvar') return '_undef_'
    if (verb === 'uuid_transfer' && channel) {
      void fetchDialplan(channel)
      return '+OK\n'
    }
    return undefined
  }
  return calls
}

function hash(noted: Set<string>, argument: string): string {
  const [deed, , channelUuid = ''] = argument.split('/')
  if (deed === 'select') return noted.has(channelUuid) ? '1' : '-ERR no reply\n'
  return noted.delete(channelUuid) ? '+OK\n' : '-ERR Not found\n'
}

function readOriginate(command: string): Originate {
  const [, list = '', endpoint = '', callId = ''] =
    /^originate \{([^}]*)\}(\S+) (\S+) XML twiml$/.exec(command) ?? []
  const variables = Object.fromEntries(
    list.split(',').map((pair) => {
      const [name = '', value = ''] = pair.split(/=(.*)/)
      return [name, value.replaceAll('\\s', ' ')]
    }),
  )
  const channelUuid = variables.origination_uuid
  if (channelUuid === undefined || callId === '') throw new Error(`No originate of ours: ${command}`)
  return { channelUuid, callId, endpoint, variables }
}

function cdrOf({ call, progressAt, answerAt }: Channel, cause: string, sipCode: number | undefined): string {
  const end = Date.now()
  return JSON.stringify({
    variables: {
      uuid: call.channelUuid,
      progress_uepoch: String(progressAt * 1000),
      answer_uepoch: String(answerAt * 1000),
      end_uepoch: String(end * 1000),
      billsec: answerAt === 0 ? '0' : String(Math.floor((end - answerAt) / 1000)),
      hangup_cause: cause,
      ...(sipCode === undefined ? {} : { sip_term_status: String(sipCode) }),
    },
  })
}

const wait = (milliseconds: number) => new Promise<void>((resolve) => setTimeout(resolve, milliseconds))
