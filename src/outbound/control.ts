import { eq } from 'drizzle-orm'
import { type Instructions, isOver, type WebhookStep } from '../calls/call.ts'
import { advanceWithin } from '../calls/progress.ts'
import { lockCall, type MovingCall } from '../calls/progress-queries.ts'
import { putWish } from '../calls/wish-queries.ts'
import type { Db } from '../db/connect.ts'
import { phoneCalls } from '../db/schema.ts'
import type { Platform } from '../platform.ts'
import { askAgain } from '../steps/ask.ts'
import { noRequest, runningCall, type StoredStep, saveStep } from '../steps/queries.ts'
import type { DocumentSource } from '../steps/start.ts'
import { callParams } from '../webhooks/params.ts'
import type { Method, Webhook } from '../webhooks/webhook.ts'

/** What the API wants of a call: what is to hold from now on (null: as it was), and what it is to do at once, if anything:
 * end (`canceled`: only if it has not been answered), or go on with other TwiML. */
export type CallChange = {
  fallback: Webhook | null
  /** Where what is still to come of it is told, and how. */
  callbackUrl: string | null
  callbackMethod: Method | null
  /** Seconds after its answer at which it ends. */
  timeLimitSeconds: number | null
  deed: { kind: 'end'; as: 'completed' | 'canceled' } | { kind: 'go on'; source: DocumentSource } | null
}

/** Whether a change was taken: not if the call is over, was answered before it could be cancelled, or has not been answered
 * and so has no TwiML that could be changed (a leg), or no time that could be limited (a leg or an inbound call). */
export type Changed = 'taken' | 'over' | 'answered' | 'unanswered'

/** Changes a call of an account; null when it has no such call. What a switch must be told is stored and told at once by
 * whichever process reaches the switch, as soon as one does. */
export async function changeCall(
  platform: Platform,
  accountId: string,
  id: string,
  change: CallChange,
): Promise<Changed | null> {
  const { changed, asking } = await platform.db.transaction(async (tx) => {
    const call = await lockCall(tx, { id })
    if (call === null || call.accountId !== accountId) return { changed: null, asking: null }
    const refused = refusal(call, change)
    if (refused !== null) return { changed: refused, asking: null }
    const changed = await store(tx, call, change)
    return { changed: 'taken' as const, asking: await take(tx, changed, change) }
  })
  if (asking !== null) await askFor(platform, id, asking)
  return changed
}

function refusal(call: MovingCall, { deed, timeLimitSeconds }: CallChange): Changed | null {
  if (isOver(call.status)) return 'over'
  const answered = call.status === 'in-progress'
  if (deed?.kind === 'end' && deed.as === 'canceled' && answered) return 'answered'
  if (deed?.kind === 'go on' && call.instructions.wish === 'hang up') return 'over'
  if (deed?.kind === 'go on' && !answered && call.direction === 'outbound-dial') return 'unanswered'
  if (timeLimitSeconds !== null && !answered && call.direction !== 'outbound-api') return 'unanswered'
  return null
}

// What a call is to begin with once it is answered, by the API's own order.
const isToBegin = ({ status, direction }: MovingCall) => status !== 'in-progress' && direction !== 'inbound'

async function store(tx: Db, call: MovingCall, change: CallChange): Promise<MovingCall> {
  const { fallback, callbackUrl, callbackMethod, timeLimitSeconds, deed } = change
  const { order } = call.instructions
  const changed = {
    instructions: {
      ...call.instructions,
      ...(fallback === null ? {} : { fallbackUrl: fallback.url, fallbackMethod: fallback.method }),
      ...(isToBegin(call) && deed?.kind === 'go on' ? { first: deed.source } : {}),
      ...(timeLimitSeconds === null || order === undefined ? {} : { order: { ...order, timeLimitSeconds } }),
    } satisfies Instructions,
    statusCallbackUrl: callbackUrl ?? call.statusCallbackUrl,
    statusCallbackMethod: callbackMethod ?? call.statusCallbackMethod,
  }
  await tx
    .update(phoneCalls)
    .set({ ...changed, updatedAt: new Date() })
    .where(eq(phoneCalls.id, call.id))
  return { ...call, ...changed }
}

/** A webhook that is to be asked for a step that is stored already. */
type Asking = { channelUuid: string; step: WebhookStep }

async function take(
  tx: Db,
  call: MovingCall,
  { deed, timeLimitSeconds }: CallChange,
): Promise<Asking | null> {
  if (timeLimitSeconds !== null && !isToBegin(call))
    await putWish(tx, call.id, { newLimitSeconds: timeLimitSeconds })
  if (deed === null) return null
  return deed.kind === 'end' ? endCall(tx, call) : goOn(tx, call, deed.source)
}

async function endCall(tx: Db, call: MovingCall): Promise<null> {
  if (call.status === 'queued')
    await advanceWithin(tx, call, { end: { at: new Date(), cause: 'ORIGINATOR_CANCEL', sipStatus: 487 } })
  else await putWish(tx, call.id, { wish: 'hang up' })
  return null
}

async function goOn(tx: Db, call: MovingCall, source: DocumentSource): Promise<Asking | null> {
  if (isToBegin(call) || call.channelUuid === null) return null
  const { id, channelUuid, instructions } = call
  const step = toStep(call, source)
  await saveStep(tx, { id, step: call.step + 1, instructions }, step)
  await putWish(tx, id, { wish: 'come back' })
  return step.state === 'pending' ? { channelUuid, step: { ...step, expired: false, ageSeconds: 0 } } : null
}

function toStep(call: MovingCall, source: DocumentSource): StoredStep {
  if (source.kind === 'document') return { ...noRequest, document: source.text }
  const { url, method } = source
  return { ...noRequest, state: 'pending', url, method, params: callParams(call) }
}

// The call itself waits in silence meanwhile, and another process asks again should this one not live to hear the answer.
async function askFor(platform: Platform, id: string, { channelUuid, step }: Asking): Promise<void> {
  const found = await runningCall(platform.db, id, channelUuid)
  if (found !== null) await askAgain(platform, found.call, step)
}
