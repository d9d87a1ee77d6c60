import type { DialledNumber, Host, SipUri, SipUser } from './sip-uri.ts'

// The only place where the data of a dialplan action, a dial string or a channel variable is put together. What goes in
// is an own identifier or a checked part (sip-uri.ts), never a text that a customer or a caller wrote: there is no
// escaping that FreeSWITCH honours everywhere (freeswitch.md 6), so nothing here escapes; it refuses.

/** One `<action application data>` of a dialplan. */
export type Action = { readonly application: string; readonly data: string }

/** One leg of a bridge or an originate: where it goes and the channel variables of that leg alone. */
export type Leg = { readonly endpoint: string; readonly variables: Readonly<Record<string, string>> }

/** The profile that all calls of trunks run on (specification, "Step-by-step"). */
export const profile = 'nat_gateway'

/** Must stand first in every dialplan: switches off `${…}`, backslashes and `%[…]` for all that follows (6.3). */
export const disableExpansion = (): Action => set('app_disable_expand_variables', 'true')

/** Lets a call come back for more TwiML than the 70 times that Max-Forwards allows (freeswitch.md 5.1). */
export const allowTransfers = (): Action => set('max_session_transfers', '10000')

/** Sets a channel variable to a value of letters, digits and `_ . : @ + , = / -`. */
export const set = (name: string, value: string): Action => action('set', `${word(name)}=${plain(value)}`)
/** Removes a channel variable. */
export const unset = (name: string): Action => action('unset', word(name))
/** 200 OK. */
export const answer = (): Action => action('answer', '')
/** 180 Ringing. */
export const ring = (): Action => action('ring_ready', '')
/** Refuses an unanswered call with a SIP status and its standard phrase. */
export const respond = (code: number): Action =>
  action('respond', `${integer(code)} ${sipPhrases[code] ?? 'Error'}`)
/** Ends the call with a hangup cause. */
export const hangUp = (cause = 'NORMAL_CLEARING'): Action => action('hangup', word(cause))
/** Plays files, one after the other, as one stream. */
export const play = (files: readonly string[]): Action => action('playback', stream(files))
/** Plays files as one stream, so many times; no file is no action. */
export function playTimes(files: readonly string[], times: number): Action[] {
  if (files.length === 0) return []
  return [times === 1 ? play(files) : action('loop_playback', `+${integer(times)} ${stream(files)}`)]
}
/** A beep of half a second, as a file. */
export const beep = 'tone_stream://%(500,0,1000)'
/** Milliseconds of silence that keep RTP going, as `sleep` does not. */
export const silence = (milliseconds: number): string => `silence_stream://${integer(milliseconds)}`
/** Hunts the dialplan again in context `twiml`: FreeSWITCH asks us for the next part of that call's TwiML. */
export const comeBack = (callId: string): Action => action('transfer', `${word(callId)} XML twiml`)
/** Asks the same from within an application that must not lose the channel, and returns when that part is done. */
export const comeBackWithin = (callId: string): Action =>
  action('execute_extension', `${word(callId)} XML twiml`)
/** Waits milliseconds without media: on an unanswered call nothing is signalled. */
export const sleep = (milliseconds: number): Action => action('sleep', String(integer(milliseconds)))
/** Forgets keys that were pressed before now. */
export const flushDigits = (): Action => action('flush_dtmf', '')
/** Which keys end a recording or a playback; empty: none. */
export const stopOnKeys = (keys: string): Action =>
  action('set', `playback_terminators=${keys === '' ? 'none' : key(keys)}`)
/** Sends DTMF (`w` waits half a second, `W` a second) and waits until all of it was heard. */
export const sendDigits = (digits: string): Action[] => [
  action('send_dtmf', dtmf(digits)),
  play([silence(dtmfMilliseconds(digits))]),
]
/** The caller ID that the legs of a bridge show: a number or a SIP user. */
export const callerId = (number: DialledNumber | SipUser): Action =>
  action('set', `effective_caller_id_number=${matching(number, /^[A-Za-z0-9._+*#-]{1,64}$/)}`)
/** What the caller hears while legs ring; null: what an unanswered call hears of itself, 180. */
export const ringBack = (tone: string | null): Action =>
  tone === null ? unset('ringback') : action('set', `ringback=${matching(tone, /^[%(),;.0-9]+$/)}`)
/** Whether the caller's `*` ends a bridge. */
export const endBridgeOnStar = (on: boolean): Action =>
  on ? action('set', 'bridge_terminate_key=*') : unset('bridge_terminate_key')

/** Ends the call after so many seconds from now, whatever it does then. */
export const hangUpAfter = (seconds: number, cause = 'ALLOTTED_TIMEOUT'): Action =>
  action('sched_hangup', `+${integer(seconds)} ${word(cause)}`)

/** Plays a prompt and collects digits into the variable `digits` (freeswitch.md 5.3); `timeout`s in milliseconds. */
export function collectDigits(gather: {
  most: number
  timeout: number
  finishOnKey: string
  prompt: readonly string[]
}): Action {
  const finish = gather.finishOnKey === '' ? 'none' : key(gather.finishOnKey)
  // A prompt of which no file can be played ends the gather before it listens, so the last one always can.
  const prompt = gather.prompt.length === 0 ? 'silence' : stream([...gather.prompt, silence(10)])
  const timeout = Math.max(1000, integer(gather.timeout))
  return action(
    'play_and_get_digits',
    `0 ${integer(gather.most)} 1 ${timeout} ${finish} ${prompt} ${silence(10)} digits ^[0-9*#]*$ ${timeout}`,
  )
}

/** Records the caller to one of our own URLs until a key, the most seconds, or so many of silence (freeswitch.md 5.4);
 * 0 of them: silence does not end it, since FreeSWITCH takes no threshold for that and 0 for three seconds. */
export function record(url: string, maxSeconds: number, silenceSeconds: number): Action {
  const silence = silenceSeconds === 0 ? '' : ` 200 ${integer(silenceSeconds)}`
  return action('record', `http_cache://${ownUrl(url)} ${integer(maxSeconds)}${silence}`)
}

/** Records the whole call from here on to one of our own URLs. */
export const recordSession = (url: string): Action => action('record_session', `http_cache://${ownUrl(url)}`)

/** Records the call to one of our own URLs once a bridge has joined it with another, and not before; null: no more. */
export const recordOnceJoined = (url: string | null): Action =>
  url === null
    ? unset('execute_on_pre_bridge')
    : action('set', `execute_on_pre_bridge=record_session http_cache://${ownUrl(url)}`)

/** Ends the recording of the call that goes to that URL. */
export const stopRecordSession = (url: string): Action =>
  action('stop_record_session', `http_cache://${ownUrl(url)}`)

/** Rings all legs at once, or one after the other, and joins the first that answers. */
export function bridge(legs: readonly Leg[], order: 'at once' | 'in turn' = 'at once'): Action {
  if (legs.length === 0) throw new Error('A bridge needs a leg.')
  return action('bridge', legs.map(writeLeg).join(order === 'at once' ? ',' : '|'))
}

/** Leg variables: the leg is hung up so many seconds after its answer. */
export const legHangsUpAfter = (seconds: number): Record<string, string> => ({
  execute_on_answer_limit: `sched_hangup +${integer(seconds)} ALLOTTED_TIMEOUT`,
})
/** Leg variables: these digits are sent once the leg answers. */
export const legSendsDigits = (digits: string): Record<string, string> => ({
  execute_on_answer_digits: `send_dtmf ${dtmf(digits)}`,
})
/** Leg variables: once answered the leg runs that call's TwiML, and is joined when it is through and still there. */
export const legRunsFirst = (callId: string): Record<string, string> => ({
  group_confirm_key: 'exec',
  group_confirm_file: `execute_extension ${word(callId)} XML twiml`,
})

/** Leg variables: the switch notes under `placedMark` that it has begun to call. */
export const legMarksPlaced = (channelUuid: string): Record<string, string> => ({
  api_on_originate: `hash insert/${placedMark(channelUuid)}/1`,
})
/** Where a switch notes of a channel that it has begun to call: the note outlives the channel. */
export const placedMark = (channelUuid: string): string => `placed/${word(channelUuid)}`

/** A leg as bridge and originate read it: `[a=b,c=d]endpoint`. */
export function writeLeg(leg: Leg): string {
  const direct = leg.endpoint.startsWith(`sofia/${profile}/`)
  const all = Object.entries({ ...leg.variables, ...(direct ? noCredentials : {}) })
  const variables = all.map(([name, value]) => `${word(name)}=${dialValue(value)}`)
  return variables.length === 0 ? leg.endpoint : `[${variables.join(',')}]${leg.endpoint}`
}

// A leg that goes through no gateway has no password to give. Without these, FreeSWITCH answers a challenge with the
// password of whichever gateway has the same registrar: another tenant's (sofia_reg.c, sofia_reg_find_gateway_by_realm;
// tried on 1.10.12).
const noCredentials = { sip_auth_username: 'none', sip_auth_password: 'none' }

/** A leg as an originate reads it: `{a=b,c=d}endpoint`, since some variables, such as ignore_early_media, are honoured
 * only there (freeswitch.md 7). A space would end the leg, so it is written as `\s` (6.4). */
export const writeOriginate = (leg: Leg): string =>
  writeLeg(leg).replace(/^\[(.*?)\]/, (_, variables: string) => `{${variables.replaceAll(' ', '\\s')}}`)

/** `sofia/gateway/{trunk_id}/{number}` (specification, "Outbound Dial String Construction"). */
export const gatewayEndpoint = (trunkId: string, number: DialledNumber): string =>
  `sofia/gateway/${word(trunkId)}/${number}`

/** `sofia/nat_gateway/sip:{number}@{host}`, over TCP where that is how it is reached, through a proxy when there is one. */
export const hostEndpoint = (
  number: DialledNumber,
  { host, tcp }: { host: Host; tcp: boolean },
  proxy: Host | null,
): string =>
  `sofia/${profile}/sip:${number}@${host}${tcp ? ';transport=tcp' : ''}${proxy === null ? '' : `;fs_path=sip:${proxy}`}`

/** A SIP URI, as `<Sip>` names it. */
export const uriEndpoint = ({ user, host, transport }: SipUri): string =>
  `sofia/${profile}/sip:${user === null ? '' : `${user}@`}${host}${transport === null ? '' : `;transport=${transport}`}`

/** The channel variables that carry the custom headers of a SIP URI. */
export const headerVariables = ({ headers }: SipUri): Record<string, string> =>
  Object.fromEntries(headers.map(({ name, value }) => [`sip_h_${name}`, value]))

const sipPhrases: Record<number, string> = {
  403: 'Forbidden',
  404: 'Not Found',
  407: 'Proxy Authentication Required',
  480: 'Temporarily Unavailable',
  486: 'Busy Here',
  503: 'Service Unavailable',
  603: 'Decline',
}

const action = (application: string, data: string): Action => ({ application, data })

const word = (text: string) => matching(text, /^[A-Za-z0-9_-]+$/)
const plain = (text: string) => matching(text, /^[A-Za-z0-9_.:@+,=/ -]*$/)
// `:_:` anywhere in a dial string starts a second originate, `ARRAY::` makes a list of a value (6.4).
const dialValue = (text: string) => matching(text, /^(?!ARRAY::)(?!.*:_:)[A-Za-z0-9_.:@+/*# -]*$/)
const key = (text: string) => matching(text, /^[0-9*#]{1,12}$/)
const dtmf = (text: string) => matching(text, /^[0-9*#wW]{1,99}$/)
// FreeSWITCH plays a digit for 250 ms and waits 250 ms after it; the second on top is for its queue to start.
const dtmfMilliseconds = (digits: string) =>
  [...digits].reduce((sum, digit) => sum + (digit === 'W' ? 1000 : 500), 0) + 250
const ownUrl = (text: string) => matching(text, /^https?:\/\/[A-Za-z0-9_.:[\]/-]+$/)
const file = (text: string) =>
  matching(text, /^(silence_stream:\/\/\d+|tone_stream:\/\/[%(),0-9]+|https?:\/\/[A-Za-z0-9_.:[\]/-]+)$/)
const stream = (files: readonly string[]) =>
  files.length === 1 ? files.map(file).join('') : `file_string://${files.map(file).join('!')}`

function integer(number: number): number {
  if (!Number.isSafeInteger(number) || number < 0) throw new Error(`Expected a whole number, got ${number}.`)
  return number
}

function matching(text: string, form: RegExp): string {
  if (!form.test(text)) throw new Error(`Action data must match ${form}, got ${JSON.stringify(text)}.`)
  return text
}
