import type { Context, Hono } from 'hono'
import type { Account } from '../accounts/account.ts'
import { accountCall, selectAccountCalls } from '../calls/account-queries.ts'
import { isOver } from '../calls/call.ts'
import { phoneCalls } from '../db/schema.ts'
import { normalise, shown, stored } from '../numbers/e164.ts'
import { type Changed, changeCall } from '../outbound/control.ts'
import { type Idempotency, type Ordered, orderCall, orderedBefore, ownNumber } from '../outbound/order.ts'
import type { Platform } from '../platform.ts'
import { sha256 } from '../secrets.ts'
import type { TwilioEnv } from './authenticate.ts'
import { callFilters } from './call-filters.ts'
import { callJson } from './call-json.ts'
import { readCall } from './call-order.ts'
import { readCallChange } from './call-update.ts'
import { answerNotFound, answerProblem, problem } from './error.ts'
import { readForm, readQuery } from './form.ts'
import { answerPage } from './page.ts'
import { type Reading, refuse } from './parameters.ts'
import { both, idIn, pathOf } from './path.ts'

type TwilioContext = Context<TwilioEnv>

/** Calls: create, list, fetch and update (https://www.twilio.com/docs/voice/api/call-resource). */
export function serveCalls(app: Hono<TwilioEnv>, platform: Platform): void {
  app.on('POST', both('/Accounts/:account/Calls'), (c) => createCall(c, platform))
  app.on('GET', both('/Accounts/:account/Calls'), (c) => listCalls(c, platform))
  app.get('/Accounts/:account/Calls/:call', (c) => showCall(c, platform, idIn('CA', c.req.param('call'))))
  app.post('/Accounts/:account/Calls/:call', (c) => updateCall(c, platform))
}

async function createCall(c: TwilioContext, platform: Platform): Promise<Response> {
  const account = c.get('account')
  const reading = await readForm(c)
  const idempotency = readIdempotency(c, reading)
  const before = idempotency && (await orderedBefore(platform.db, account.id, idempotency))
  if (before) return answerOrdered(c, platform, before)
  const { from, ...call } = readCall(reading, platform.env)
  const own = await proveOwn(platform, account, reading, from)
  if (reading.problem !== null || own === null) return answerProblem(c, reading.problem ?? notOwn)
  return answerOrdered(c, platform, await orderCall(platform, account, { ...call, from: own }, idempotency))
}

const notOwn = problem(
  21210,
  "The 'From' number is not an active incoming phone number of your account. You may only make calls from your own numbers.",
)

async function proveOwn({ db }: Platform, account: Account, reading: Reading, from: string) {
  if (reading.problem !== null) return null
  const digits = stored(normalise(from, null))
  const own = await ownNumber(db, account, digits)
  return own && { id: own.id, number: shown(digits) }
}

// The order of the parameters means nothing, that of a parameter's values does.
function readIdempotency(c: TwilioContext, reading: Reading): Idempotency | null {
  const key = c.req.header('idempotency-key') ?? ''
  if (key === '') return null
  if (key.length > 255) refuse(reading, 20001, 'Idempotency-Key must not be longer than 255 characters')
  const ordered = [...reading.fields].sort(([a], [b]) => (a < b ? -1 : 1))
  return { key: key.slice(0, 255), hash: sha256(JSON.stringify(ordered)) }
}

async function answerOrdered(c: TwilioContext, { db }: Platform, ordered: Ordered): Promise<Response> {
  if (ordered.kind === 'no trunk') return answerProblem(c, noTrunk)
  if (ordered.kind === 'key used') return answerProblem(c, keyUsed)
  const call = await accountCall(db, c.get('account').id, ordered.callId)
  if (call === null) return answerNotFound(c)
  if (ordered.kind === 'ordered before') c.header('Idempotent-Replayed', 'true')
  return c.json(callJson(call), 201)
}

const noTrunk = problem(13224, 'Calling this number is unsupported or the number is invalid')
const keyUsed = problem(20409, 'This Idempotency-Key was used for a call with other parameters', 409)

function listCalls(c: TwilioContext, { db }: Platform): Promise<Response> {
  const { id: accountId } = c.get('account')
  const reading = readQuery(c)
  return answerPage(c, reading, {
    name: 'calls',
    path: pathOf(accountId, 'Calls'),
    prefix: 'CA',
    seq: phoneCalls.seq,
    where: callFilters(reading),
    select: (page) => selectAccountCalls(db, accountId, page),
    positionOf: async (id) => (await accountCall(db, accountId, id))?.seq ?? null,
    toJson: callJson,
  })
}

async function showCall(c: TwilioContext, { db }: Platform, id: string | null): Promise<Response> {
  const call = id === null ? null : await accountCall(db, c.get('account').id, id)
  return call === null ? answerNotFound(c) : c.json(callJson(call))
}

async function updateCall(c: TwilioContext, platform: Platform): Promise<Response> {
  const id = idIn('CA', c.req.param('call'))
  const reading = await readForm(c)
  const change = readCallChange(reading, platform.env)
  if (reading.problem !== null) return answerProblem(c, reading.problem)
  if (id === null || change === null) return showCall(c, platform, id)
  const accountId = c.get('account').id
  const changed = await changeCall(platform, accountId, id, change)
  if (changed === null) return answerNotFound(c)
  if (changed !== 'taken') return answerProblem(c, problem(21220, refusals[changed]))
  if (change.deed?.kind === 'end') await ended(platform, accountId, id)
  return showCall(c, platform, id)
}

const refusals: Record<Exclude<Changed, 'taken'>, string> = {
  over: 'Invalid call state: the call is over',
  answered: 'Invalid call state: the call has been answered and can only be completed, not canceled',
  unanswered: 'Invalid call state: the call has not been answered',
}

// The switch usually says within milliseconds that the call is over; the answer then shows it. When it does not, the call
// ends as soon as it can be told.
const mostMillisecondsToEnd = 1000

async function ended({ db }: Platform, accountId: string, id: string): Promise<void> {
  const deadline = Date.now() + mostMillisecondsToEnd
  while (Date.now() < deadline) {
    const call = await accountCall(db, accountId, id)
    if (call === null || isOver(call.status)) return
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
}
