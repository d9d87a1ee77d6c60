import type { Db } from '../db/connect.ts'
import { recordedParams } from '../twiml/rules.ts'
import { callParams, rfc2822 } from '../webhooks/params.ts'
import { enqueueCallback } from '../webhooks/status-callback.ts'
import type { Step } from './progress.ts'
import type { MovingCall } from './progress-queries.ts'

/** Stores a status callback for each of a call's steps that its customer wants to hear of (as at Twilio only the end,
 * unless events were named), in order, in the transaction of the steps. Gives the SequenceNumber of the next. */
export async function report(tx: Db, call: MovingCall, steps: readonly Step[]): Promise<number> {
  const { id, accountId, statusCallbackUrl: url, statusCallbackMethod, callbackSequence } = call
  if (url === null) return callbackSequence
  const events = call.statusCallbackEvents ?? ['completed']
  const wanted = steps.filter(({ event }) => events.includes(event))
  for (const [index, step] of wanted.entries())
    await enqueueCallback(tx, {
      ...{ orderKey: id, accountId, callId: id, url, method: statusCallbackMethod ?? 'POST' },
      params: toParams(call, step, callbackSequence + index),
    })
  return callbackSequence + wanted.length
}

const toParams = (call: MovingCall, step: Step, sequence: number): Record<string, string> => ({
  ...callParams({ ...call, status: step.status }),
  Timestamp: rfc2822(step.at),
  CallbackSource: 'call-progress-events',
  SequenceNumber: String(sequence),
  ...(step.event === 'completed' ? endParams(call) : {}),
})

// FreeSWITCH sends the file of a call's recording before it tells the call's end. Only what the order of an API call has
// recorded is told here (https://www.twilio.com/docs/voice/api/call-resource#statuscallback).
const endParams = ({ duration, sipResponseCode, instructions: { recorded } }: MovingCall) => ({
  CallDuration: String(duration ?? 0),
  Duration: String(Math.ceil((duration ?? 0) / 60)),
  ...(sipResponseCode === null ? {} : { SipResponseCode: String(sipResponseCode) }),
  ...(recorded === undefined ? {} : recordedParams(recorded)),
})
