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
import type { Webhook } from '../webhooks/webhook.ts'

/** What the API wants of a call: that it ends (`canceled`: only if it has not been answered), or that it goes on with
 * other TwiML. */
export type CallChange =
  | { kind: 'end'; as: 'completed' | 'canceled' }
  | { kind: 'go on'; source: DocumentSource; fallback: Webhook | null }

/** Whether a change was taken: not if the call is over, was answered before it could be cancelled, or is a leg that nobody
 * has answered and so has no TwiML that could be changed. */
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
    if (isOver(call.status)) return { changed: 'over' as const, asking: null }
    return change.kind === 'end' ? endCall(tx, call, change.as) : goOn(tx, call, change)
  })
  if (asking !== null) await askFor(platform, id, asking)
  return changed
}

/** A webhook that is to be asked for a step that is stored already. */
type Asking = { channelUuid: string; step: WebhookStep }
type Result = { changed: Changed; asking: Asking | null }

async function endCall(tx: Db, call: MovingCall, as: 'completed' | 'canceled'): Promise<Result> {
  if (as === 'canceled' && call.status === 'in-progress') return { changed: 'answered', asking: null }
  if (call.status === 'queued')
    await advanceWithin(tx, call, { end: { at: new Date(), cause: 'ORIGINATOR_CANCEL', sipStatus: 487 } })
  else await putWish(tx, call.id, 'hang up')
  return { changed: 'taken', asking: null }
}

async function goOn(
  tx: Db,
  call: MovingCall,
  { source, fallback }: Extract<CallChange, { kind: 'go on' }>,
): Promise<Result> {
  if (call.instructions.wish === 'hang up') return { changed: 'over', asking: null }
  const instructions = withFallback(call.instructions, fallback)
  const before = call.status !== 'in-progress' && call.direction !== 'inbound'
  if (before && call.direction === 'outbound-dial') return { changed: 'unanswered', asking: null }
  await tx
    .update(phoneCalls)
    .set({ instructions: before ? { ...instructions, first: source } : instructions, updatedAt: new Date() })
    .where(eq(phoneCalls.id, call.id))
  if (before || call.channelUuid === null) return { changed: 'taken', asking: null }
  const step = toStep(call, source)
  await saveStep(tx, { id: call.id, step: call.step + 1, instructions }, step)
  await putWish(tx, call.id, 'come back')
  if (step.state !== 'pending') return { changed: 'taken', asking: null }
  return {
    changed: 'taken',
    asking: { channelUuid: call.channelUuid, step: { ...step, expired: false, ageSeconds: 0 } },
  }
}

function withFallback(instructions: Instructions, fallback: Webhook | null): Instructions {
  if (fallback === null) return instructions
  return { ...instructions, fallbackUrl: fallback.url, fallbackMethod: fallback.method }
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
