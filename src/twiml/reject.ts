import { hangUp, respond } from '../dialplan-action.ts'
import { checkAttributes, checkNoElements, choice } from './reading.ts'
import type { Rules } from './rules.ts'

/** `<Reject>`: an unanswered call is refused with 486 or 603, an answered one ends. */
export type Reject = { verb: 'Reject'; line: number; reason: 'rejected' | 'busy' }

/** How `<Reject>` is read and written, and what comes after it. */
export const reject: Rules<Reject> = {
  leaves: true,
  read(element, reading) {
    checkAttributes(reading, element, ['reason'])
    checkNoElements(reading, element)
    const reason = choice(reading, element, 'reason', ['rejected', 'busy'], 'rejected')
    return { verb: 'Reject', line: element.line, reason }
  },
  answers: () => false,
  prompts: () => [],
  write: ({ reason }, { answered }) => [answered ? hangUp() : respond(reason === 'busy' ? 486 : 603)],
  after: () => ({ next: 'end' }),
}
