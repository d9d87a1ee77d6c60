import type { Instructions, PlacingOrder } from '../calls/call.ts'
import { refusedSipHost } from '../dialling/sip-host.ts'
import type { Env } from '../env.ts'
import { meaningOf } from '../numbers/e164.ts'
import { isSipUri, toSipUri } from '../sip-uri.ts'
import type { DocumentSource } from '../steps/start.ts'
import { readTwiml } from '../twiml/read-twiml.ts'
import { recordingEvents, recordingTracks } from '../twiml/recording.ts'
import { callEvents, type StatusCallback, type Webhook } from '../webhooks/webhook.ts'
import { choice, integer, quote, type Reading, refuse, text } from './parameters.ts'
import { method, url, webhook } from './webhook-parameters.ts'

/** What a call is made of, but for the proof that From is the account's. */
export type CallParameters = {
  to: string
  from: string
  instructions: Instructions
  callback: StatusCallback | null
}

/** Reads the parameters of a new call (https://www.twilio.com/docs/voice/api/call-resource#create-a-call-resource). */
export function readCall(reading: Reading, env: Env): CallParameters {
  refuseUnserved(reading)
  const to = readTo(reading, env)
  const from = readFrom(reading)
  const first = readSource(reading, env)
  if (first === null) refuse(reading, 21205, 'Url or Twiml is required: one says what happens on the call')
  const fallback = readFallback(reading, env)
  const order = readOrder(reading, env)
  const callback = readStatusCallback(reading, env)
  return {
    to,
    from,
    callback,
    instructions: {
      order,
      ...(first === null ? {} : { first }),
      ...(fallback === null ? {} : { fallbackUrl: fallback.url, fallbackMethod: fallback.method }),
    },
  }
}

/** Where a call's TwiML comes from: Url (with Method) or Twiml; Url wins as at Twilio. Null when neither is there. */
export function readSource(reading: Reading, env: Env): DocumentSource | null {
  const asked = webhook(reading, env, { url: 'Url', method: 'Method' }, { url: 21205, method: 21209 })
  const twiml = text(reading, 'Twiml')
  if (asked !== null) return { kind: 'webhook', ...asked }
  if (twiml === null) return null
  const read = readTwiml(twiml, null)
  if (!read.ok)
    refuse(reading, 12100, `Twiml cannot be run. Line ${read.problem.line}: ${read.problem.message}`)
  return { kind: 'document', text: twiml }
}

/** FallbackUrl with FallbackMethod, or null. */
export const readFallback = (reading: Reading, env: Env): Webhook | null =>
  webhook(reading, env, { url: 'FallbackUrl', method: 'FallbackMethod' }, { url: 21205, method: 21209 })

// What would make another call of it than the one that was ordered is refused, not passed over.
function refuseUnserved(reading: Reading): void {
  for (const [name, harmless] of Object.entries(unserved)) {
    const value = text(reading, name)
    if (value !== null && !harmless.includes(value.toLowerCase()))
      refuse(reading, name === 'ApplicationSid' ? 21218 : 20001, `${name} is not supported`)
  }
}

const unserved: Record<string, string[]> = {
  ApplicationSid: [],
  MachineDetection: ['none'],
  SipAuthUsername: [],
  SipAuthPassword: [],
  Byoc: [],
}

function readTo(reading: Reading, env: Env): string {
  const to = text(reading, 'To')
  if (to === null) refuse(reading, 21201, "No 'To' number is specified")
  const read = to === null ? null : toDestination(env, to)
  if (read !== null && 'problem' in read)
    refuse(reading, 21211, `The 'To' number ${quote(to ?? '')} ${read.problem}`)
  return read !== null && 'to' in read ? read.to : ''
}

function toDestination(env: Env, to: string): { to: string } | { problem: string } {
  if (isSipUri(to)) return toSipDestination(env, to)
  const meaning = meaningOf(to, null)
  return meaning.kind === 'e164' ? { to: meaning.number } : notValid
}

const notValid = { problem: 'is not a valid phone number or SIP address' }

function toSipDestination(env: Env, to: string): { to: string } | { problem: string } {
  const uri = to.length <= 500 ? toSipUri(to) : null
  if (uri === null) return notValid
  const refused = refusedSipHost(env, uri.host)
  return refused === null ? { to } : { problem: `cannot be called. ${refused}` }
}

function readFrom(reading: Reading): string {
  const from = text(reading, 'From')
  if (from === null) refuse(reading, 21213, "The 'From' number is required")
  const compact = from?.replace(/[\s().-]/g, '') ?? ''
  if (from !== null && !/^\+?\d{1,15}$/.test(compact))
    refuse(reading, 21212, `The 'From' number ${quote(from)} is not a valid phone number`)
  return compact
}

function readOrder(reading: Reading, env: Env): PlacingOrder {
  const sendDigits = readSendDigits(reading)
  const recording = readRecording(reading, env)
  return {
    timeoutSeconds: integer(reading, 'Timeout', { code: 21208, least: 1, most: 600 }) ?? 60,
    timeLimitSeconds: readTimeLimit(reading) ?? 14_400,
    ...(sendDigits === null ? {} : { sendDigits }),
    ...(recording === null ? {} : { recording }),
  }
}

/** Seconds after its answer at which a call ends, or null. */
export const readTimeLimit = (reading: Reading): number | null =>
  integer(reading, 'TimeLimit', { code: 20001, least: 1, most: 86_400 })

function readSendDigits(reading: Reading): string | null {
  const digits = text(reading, 'SendDigits')
  if (digits !== null && !/^[0-9*#wW]{1,32}$/.test(digits))
    refuse(reading, 21206, `SendDigits must be up to 32 of 0 to 9, *, # and w, not ${quote(digits)}`)
  return digits
}

function readRecording(reading: Reading, env: Env): NonNullable<PlacingOrder['recording']> | null {
  const record = choice(reading, 'Record', 20001, ['true', 'false'])
  const channels = choice(reading, 'RecordingChannels', 20001, ['mono', 'dual'])
  const track = choice(reading, 'RecordingTrack', 20001, recordingTracks) ?? 'both'
  const trim = choice(reading, 'Trim', 20001, ['do-not-trim', 'trim-silence'])
  const names = { url: 'RecordingStatusCallback', method: 'RecordingStatusCallbackMethod' }
  const callback = webhook(reading, env, names, { url: 21205, method: 21209 })
  const events = readEvents(reading, 'RecordingStatusCallbackEvent', recordingEvents)
  if (record !== 'true') return null
  return { channels: channels === 'dual' ? 2 : 1, track, trim: trim !== 'do-not-trim', callback, events }
}

function readStatusCallback(reading: Reading, env: Env): StatusCallback | null {
  const asked = method(reading, 'StatusCallbackMethod', 21209) ?? 'POST'
  const address = url(reading, env, 'StatusCallback', 21609)
  const events = readEvents(reading, 'StatusCallbackEvent', callEvents)
  return address === null ? null : { url: address, method: asked, events }
}

// Repeated, or several in one with blanks between, as both are in use.
function readEvents<Event extends string>(reading: Reading, name: string, known: readonly Event[]): Event[] {
  const words = (reading.fields.get(name) ?? [])
    .flatMap((value) => value.split(/[\s,]+/))
    .filter((word) => word !== '')
  const unknown = words.find((word) => !known.some((event) => event === word))
  if (unknown !== undefined)
    refuse(reading, 21626, `${name} must be one of ${known.join(', ')}, not ${quote(unknown)}`)
  const named = known.filter((event) => words.includes(event))
  return named.length > 0 ? named : known.filter((event) => event === 'completed')
}
