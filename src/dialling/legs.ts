import { randomUUID } from 'node:crypto'
import type { RunningCall } from '../calls/call.ts'
import { logProblem } from '../calls/log-queries.ts'
import { type Leg, uriEndpoint } from '../dialplan-action.ts'
import { normalise, passesForNumber, stored } from '../numbers/e164.ts'
import type { Platform } from '../platform.ts'
import { type DialledNumber, type SipUser, toDialledNumber, toSipUser } from '../sip-uri.ts'
import { chooseTrunks } from '../trunks/choose.ts'
import { endpoint, shownNumber } from '../trunks/dial-string.ts'
import type { Trunk } from '../trunks/trunk.ts'
import { type Dial, legVariables } from '../twiml/dial.ts'
import type { Target } from '../twiml/target.ts'
import { beginLeg } from './begin-leg.ts'
import { type AccountOfLeg, accountOfLeg, contactOf } from './queries.ts'
import { refusedSipHost } from './sip-host.ts'

/** Trunks on which a Dial has failed, by the number that was dialled (failover.ts). */
export type TriedTrunks = ReadonlyMap<string, readonly string[]>

/** The legs that a Dial rings and the caller id that they show: each is a call of its own with its own trunk. None means
 * that nobody could be rung; an error log says why. `at` is the verb's place; where trunks were `tried`, only numbers that
 * another one leads to are rung. */
export async function ringLegs(
  platform: Platform,
  call: RunningCall,
  dial: Dial,
  at: string,
  tried: TriedTrunks | null,
) {
  if (!call.accountEnabled) {
    const message = 'The account is disabled: <Dial> rings nobody.'
    await logProblem(platform, call, 'dial.account_disabled', message, { code: 20005, line: dial.line })
    return nobody
  }
  const account = await accountFor(platform, call, dial)
  const callerId = dial.callerId ?? toCallerId(call.direction === 'inbound' ? call.from : call.to)
  if (dial.callerId !== null && !mayShow(call, dial.callerId, account.owned)) {
    const message = `The callerId ${dial.callerId} is no active incoming phone number of the account.`
    await logProblem(platform, call, 'dial.caller_id', message, { code: 21210, line: dial.line })
    return nobody
  }
  const legs: Leg[] = []
  for (const target of dial.targets) {
    const leg = await ringLeg(platform, call, { dial, at, target, callerId, account, tried })
    if (leg !== null) legs.push(leg)
  }
  return { legs, callerId }
}

const nobody = { legs: [], callerId: null }

// A Dial that rings SIP URIs with the caller's own number asks nothing of the account.
async function accountFor({ db }: Platform, call: RunningCall, { callerId, targets }: Dial) {
  if (callerId === null && targets.every(({ kind }) => kind === 'sip'))
    return { sipTrunkId: null, owned: false, failover: false }
  return accountOfLeg(db, call.accountId, stored(callerId ?? ''))
}

type Ringing = {
  dial: Dial
  at: string
  tried: TriedTrunks | null
  target: Target
  callerId: DialledNumber | SipUser | null
  account: AccountOfLeg
}

// Somleng and Twilio: the caller's own number or one of the account's. What is no number passes (contract section 7), but
// not what whoever is called would take for one.
function mayShow(call: RunningCall, callerId: string, owned: boolean): boolean {
  if (owned || !passesForNumber(callerId)) return true
  return [call.from, call.to].some((number) => stored(number) === stored(callerId))
}

const toCallerId = (text: string) => toDialledNumber(text) ?? toSipUser(text)

async function ringLeg(platform: Platform, call: RunningCall, ringing: Ringing): Promise<Leg | null> {
  const { target, dial } = ringing
  const way = await wayTo(platform, call, ringing)
  if (way === null) return null
  const id = randomUUID()
  const channelUuid = randomUUID()
  const placed = await beginLeg(platform.db, {
    id,
    parent: call,
    sipTrunkId: way.trunk?.id ?? null,
    to: way.to,
    from: ringing.callerId ?? senderOf(way.trunk) ?? '',
    channelUuid,
    routeSteps: way.steps,
    callback: target.statusCallback,
    instructions: {
      dial: ringing.at,
      ...(target.whisper === null ? {} : { first: { kind: 'webhook', ...target.whisper } }),
    },
    usable: way.endpoint !== null,
  })
  if (way.endpoint === null || !placed) {
    const reason = way.endpoint === null ? way.problem : `The trunk "${way.trunk?.name}" has no channel left.`
    await logProblem(platform, call, 'dial.no_route', `<Dial> could not ring ${way.to}. ${reason}`, {
      code: 13224,
      steps: way.steps,
      line: dial.line,
    })
    return null
  }
  return {
    endpoint: way.endpoint,
    variables: {
      ...legVariables(dial, target, id),
      origination_uuid: channelUuid,
      ...shownBy(way.trunk, ringing.callerId),
    },
  }
}

type Way = { to: string; trunk: Trunk | null; endpoint: string | null; problem: string; steps: unknown[] }

// Null: it was dialled before, and nothing else leads there.
async function wayTo(
  platform: Platform,
  call: RunningCall,
  { target, account, tried }: Ringing,
): Promise<Way | null> {
  if (target.kind === 'sip') {
    if (tried !== null) return null
    const { user, host } = target.uri
    const to = `sip:${user === null ? '' : `${user}@`}${host}`
    const own = host === call.instructions.sipDomain
    const problem = own ? null : refusedSipHost(platform.env, host)
    const endpoint = problem === null ? uriEndpoint(target.uri) : null
    return { to, trunk: null, endpoint, problem: problem ?? '', steps: [] }
  }
  const to = normalise(target.number, null)
  const chooser = { carrierId: call.carrierId, sipTrunkId: account.sipTrunkId }
  const { trunks, steps } = await chooseTrunks(platform.db, chooser, to)
  const shown = steps.map(({ carrierId: _, ...step }) => step)
  const left = trunks.filter(({ id }) => !tried?.get(to)?.includes(id))
  const [first] = left
  if (first === undefined && tried !== null) return null
  if (first === undefined)
    return { to, trunk: null, endpoint: null, problem: 'No trunk can dial it.', steps: shown }
  for (const trunk of account.failover ? left : [first]) {
    const way = endpoint(trunk, to, await contactOf(platform.db, trunk))
    if (way !== null) return { to, trunk, endpoint: way, problem: '', steps: shown }
  }
  const problem = `The client of the trunk "${first.name}" is not registered.`
  return { to, trunk: first, endpoint: null, problem, steps: shown }
}

// What is no number the legs show as the call itself does.
function shownBy(trunk: Trunk | null, callerId: string | null): Record<string, string> {
  const sender = callerId === null ? senderOf(trunk) : null
  const known = callerId ?? sender
  const number = trunk === null || known === null ? sender : (shownNumber(trunk, known) ?? sender)
  return number === null ? {} : { origination_caller_id_number: number }
}

// For a caller who tells nothing that can be shown.
const senderOf = (trunk: Trunk | null) => toDialledNumber(normalise(trunk?.defaultSender ?? '', null))
