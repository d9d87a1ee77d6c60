import type { Env } from '../env.ts'
import type { CallChange } from '../outbound/control.ts'
import { readFallback, readSource, readTimeLimit } from './call-order.ts'
import { choice, type Reading } from './parameters.ts'
import { method, url } from './webhook-parameters.ts'

/** Reads the parameters that change a call, all that Twilio has for it; null when there is none
 * (https://www.twilio.com/docs/voice/api/call-resource#update-a-call-resource). A Status wins over other TwiML. */
export function readCallChange(reading: Reading, env: Env): CallChange | null {
  const status = choice(reading, 'Status', 20001, ['completed', 'canceled'])
  const source = readSource(reading, env)
  const change = {
    fallback: readFallback(reading, env),
    ...readCallback(reading, env),
    timeLimitSeconds: readTimeLimit(reading),
    deed: status !== null ? endAs(status) : source && { kind: 'go on' as const, source },
  }
  return Object.values(change).every((part) => part === null) ? null : change
}

const endAs = (as: 'completed' | 'canceled') => ({ kind: 'end' as const, as })

// A new address is asked by POST unless another method comes with it.
function readCallback(reading: Reading, env: Env): Pick<CallChange, 'callbackUrl' | 'callbackMethod'> {
  const callbackMethod = method(reading, 'StatusCallbackMethod', 21209)
  const callbackUrl = url(reading, env, 'StatusCallback', 21609)
  return { callbackUrl, callbackMethod: callbackMethod ?? (callbackUrl === null ? null : 'POST') }
}
