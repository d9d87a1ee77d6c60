import { play, silence, sleep } from '../dialplan-action.ts'
import { checkAttributes, checkNoElements, integer } from './reading.ts'
import { goOn, type Rules } from './rules.ts'

/** `<Pause>`: so many seconds of silence. */
export type Pause = { verb: 'Pause'; line: number; seconds: number }

/** How `<Pause>` is read and written, and what comes after it. */
export const pause: Rules<Pause> = {
  leaves: false,
  read(element, reading) {
    checkAttributes(reading, element, ['length'])
    checkNoElements(reading, element)
    const seconds = integer(reading, element, 'length', { least: 0, most: 14400, otherwise: 1 })
    return { verb: 'Pause', line: element.line, seconds }
  },
  answers: () => false,
  prompts: () => [],
  // Silence keeps RTP going but needs media, which would be a 183 towards a caller who is not answered yet.
  write: ({ seconds }, { answered }) => {
    if (seconds === 0) return []
    return [answered ? play([silence(seconds * 1000)]) : sleep(seconds * 1000)]
  },
  after: goOn,
}
