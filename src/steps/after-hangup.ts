import { positionIn, type Returning } from '../calls/returning.ts'
import type { Platform } from '../platform.ts'
import { after } from '../twiml/verb.ts'
import { callParams } from '../webhooks/params.ts'
import { enqueueCallback } from '../webhooks/status-callback.ts'
import { outcomeOf } from './next-part.ts'
import { runningCall } from './queries.ts'
import { readRunnable } from './run.ts'

/** Asks the action of the Record or Dial in which a call was hung up, as Twilio does (`Digits=hangup`): the switch does
 * not come back to us from there any more. Nothing can be said to a caller who is gone, so what the action answers is
 * not run: it is told like a status callback, stored with the CDR that says so and sent at least once. */
export async function askOwedAction(
  platform: Platform,
  { id, channelUuid }: { id: string; channelUuid: string },
  outcome: Returning['outcome'],
): Promise<void> {
  if (outcome.at === null) return
  const found = await runningCall(platform.db, id, channelUuid)
  if (found === null || found.current === null) return
  const { call, current } = found
  if (current.state !== 'answered' || current.document === null) return
  const read = readRunnable(current.document, current.finalUrl)
  const index = positionIn(outcome.at, call.step)
  const verb = 'problem' in read || index === null ? undefined : read.usable.verbs[index]
  if (verb?.verb !== 'Record' && verb?.verb !== 'Dial') return
  const ended = { ...outcome, terminator: outcome.terminator || 'hangup' }
  const next = after(verb, await outcomeOf(platform, call, verb, { outcome: ended }))
  if (next.next !== 'request') return
  const { url, method, params } = next
  await enqueueCallback(platform.db, {
    // Behind nothing: an action that does not answer holds up no report of the call.
    ...{ orderKey: channelUuid, accountId: call.accountId, callId: id, url, method },
    params: { ...callParams(call), ...params },
  })
}
