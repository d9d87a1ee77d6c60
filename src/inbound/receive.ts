import { isIP } from 'node:net'
import type { RunningCall } from '../calls/call.ts'
import { countUnidentified, insertErrorLog } from '../calls/log-queries.ts'
import { type Action, disableExpansion, respond, set } from '../dialplan-action.ts'
import { noteInLog } from '../log.ts'
import type { Platform } from '../platform.ts'
import { continueCall } from '../steps/ask.ts'
import { preamble, runStored } from '../steps/run.ts'
import { startOf } from '../steps/start.ts'
import { realm } from '../trunks/credentials.ts'
import type { Candidate, Step } from '../trunks/identify.ts'
import { admitInbound, findInbound } from './queries.ts'
import {
  type Arrival,
  type InboundRefusal,
  type InboundRoute,
  type NumberCandidate,
  routeInbound,
} from './route.ts'

/** An arriving call with the channel that it runs on. */
export type ArrivingCall = Arrival & { channelUuid: string; switchName: string }

/** Answers an inbound call with its first actions, by the specification's six steps: the call arrives, its trunk is
 * identified, its number normalised and found, its TwiML fetched, its record made. */
export async function receive(platform: Platform, arriving: ArrivingCall): Promise<Action[]> {
  const askedAt = performance.now()
  const { db, keys } = platform
  const arrival = { ...arriving, sourceIp: toAddress(arriving.sourceIp) }
  const route = routeInbound(arrival, await findInbound(db, arrival), keys)
  if (route.kind === 'refusal') return refuse(platform, arrival, route.refusal, route.steps)
  const admitted = await admitInbound(db, toRecord(arrival, route))
  if (admitted === null) return refuse(platform, arrival, noChannel(route), route.steps)
  noteInLog({ callId: admitted.id })
  const call = toRunningCall({ ...admitted, askedAt }, arrival, route)
  return [...preamble, ...(await begin(platform, call, route.number))]
}

type Route = Extract<InboundRoute, { kind: 'route' }>

const toRecord = (arriving: ArrivingCall, { trunk, number, from, to, steps }: Route) => ({
  carrierId: trunk.carrierId,
  accountId: number.accountId,
  sipTrunkId: trunk.id,
  incomingPhoneNumberId: number.id,
  from,
  to,
  channelUuid: arriving.channelUuid,
  switchName: arriving.switchName,
  statusCallbackUrl: number.statusCallbackUrl,
  statusCallbackMethod: number.statusCallbackMethod,
  instructions: instructionsFor(number),
  routeSteps: steps.filter(({ carrierId }) => carrierId === trunk.carrierId),
  document: documentOf(number),
})

const instructionsFor = (number: NumberCandidate) => ({
  ...(number.voiceFallbackUrl === null
    ? {}
    : { fallbackUrl: number.voiceFallbackUrl, fallbackMethod: number.voiceFallbackMethod }),
  ...(number.voiceUrl === null && number.sipDomain !== null ? { sipDomain: number.sipDomain } : {}),
})

// voice_url wins when both are set (contract section 7); routeInbound has seen to it that one is.
function begin(platform: Platform, call: RunningCall, number: NumberCandidate): Promise<Action[]> {
  const { voiceUrl, voiceMethod } = number
  if (voiceUrl === null) return runStored(platform, call, documentOf(number) ?? '')
  return continueCall(platform, call, startOf(call, { kind: 'webhook', url: voiceUrl, method: voiceMethod }))
}

// The domain was checked when it was saved; a number is digits.
const documentOf = ({ voiceUrl, sipDomain, number }: NumberCandidate): string | null =>
  voiceUrl === null && sipDomain !== null
    ? `<Response><Dial><Sip>sip:${number}@${sipDomain}</Sip></Dial></Response>`
    : null

function toRunningCall(
  admitted: { id: string; step: number; askedAt: number },
  arriving: ArrivingCall,
  route: Route,
): RunningCall {
  const record = toRecord(arriving, route)
  return {
    ...admitted,
    carrierId: record.carrierId,
    accountId: record.accountId,
    authTokenEncrypted: route.number.authTokenEncrypted,
    accountEnabled: true,
    sipTrunkId: record.sipTrunkId,
    parentCallId: null,
    direction: 'inbound',
    status: 'ringing',
    from: record.from,
    to: record.to,
    channelUuid: record.channelUuid,
    instructions: record.instructions,
    depth: 0,
  }
}

function noChannel({ trunk, number, to }: Route): InboundRefusal {
  const message = `The trunk "${trunk.name}" has as many calls as its max_channels allows; the call to ${to} was refused.`
  return { kind: 'no-channel', code: 503, message, accountId: number.accountId, told: [trunk] }
}

async function refuse(
  platform: Platform,
  arriving: ArrivingCall,
  refusal: InboundRefusal,
  steps: readonly Step[],
): Promise<Action[]> {
  const { sourceIp, destination, callerId } = arriving
  platform.log.info(
    {
      refusal: refusal.kind,
      sourceIp,
      trunkIds: refusal.told.map(({ id }) => id),
      channel: arriving.channelUuid,
    },
    'Call refused',
  )
  if (refusal.told.length === 0 && sourceIp !== null)
    await countUnidentified(platform.db, sourceIp, { destination, caller_id: callerId, reason: refusal.kind })
  for (const trunk of refusal.told) await tell(platform, arriving, refusal, trunk, steps)
  return [disableExpansion(), ...(refusal.code === 407 ? challenge : [respond(refusal.code)])]
}

function tell(
  { db }: Platform,
  arriving: ArrivingCall,
  refusal: InboundRefusal,
  { id, carrierId }: Candidate,
  steps: readonly Step[],
): Promise<void> {
  const own = steps.filter((step) => step.carrierId === carrierId)
  return insertErrorLog(db, {
    carrierId,
    accountId: refusal.accountId,
    sipTrunkId: id,
    callId: null,
    type: `inbound_call.${refusal.kind.replaceAll('-', '_')}`,
    message: refusal.message,
    details: toDetails(arriving, refusal, own),
  })
}

const toDetails = (
  { sourceIp, destination, toUser, callerId, username }: ArrivingCall,
  { code }: InboundRefusal,
  steps: readonly Step[],
) => ({
  sip_code: code,
  destination,
  to_user: toUser,
  caller_id: callerId,
  source_ip: sourceIp,
  username,
  steps: steps.map(({ carrierId: _, ...step }) => step),
})

// The client repeats the INVITE with credentials as a new call; this one is no call that anybody wants a record of.
const challenge: readonly Action[] = [
  set('process_cdr', 'false'),
  set('sip_challenge_realm', realm),
  respond(407),
]

// Claims that are no address must not reach an inet cast. IPv4 inside IPv6 is the same caller.
function toAddress(text: string | null): string | null {
  const folded = text?.replace(/^::ffff:(?=\d+\.)/i, '') ?? null
  return folded !== null && isIP(folded) !== 0 ? folded : null
}
