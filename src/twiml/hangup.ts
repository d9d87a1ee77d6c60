import { hangUp } from '../dialplan-action.ts'
import { checkAttributes, checkNoElements } from './reading.ts'
import type { Rules } from './rules.ts'

/** `<Hangup>`: ends the call. Standing first it does not keep the call from being answered, as Twilio documents. */
export type Hangup = { verb: 'Hangup'; line: number }

/** How `<Hangup>` is read and written, and what comes after it. */
export const hangup: Rules<Hangup> = {
  leaves: true,
  read(element, reading) {
    checkAttributes(reading, element, [])
    checkNoElements(reading, element)
    return { verb: 'Hangup', line: element.line }
  },
  answers: () => true,
  prompts: () => [],
  write: () => [hangUp()],
  after: () => ({ next: 'end' }),
}
