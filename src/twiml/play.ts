import type { PromptSource } from '../audio/prompt.ts'
import { playTimes, sendDigits } from '../dialplan-action.ts'
import { textOf } from './document.ts'
import { loop } from './loop.ts'
import { checkAttributes, checkNoElements, refuse, url } from './reading.ts'
import { goOn, type Rules } from './rules.ts'

/** `<Play>`: an audio file, or DTMF digits (`w` waits half a second). */
export type Play = { verb: 'Play'; line: number; loop: number } & (
  | { source: PromptSource & { kind: 'play' }; digits: null }
  | { source: null; digits: string }
)

/** How `<Play>` is read and written, and what comes after it. */
export const play: Rules<Play> = {
  leaves: false,
  read(element, reading) {
    checkAttributes(reading, element, ['loop', 'digits'])
    checkNoElements(reading, element)
    const shared = { verb: 'Play' as const, line: element.line, loop: loop(reading, element) }
    const digits = element.attributes.get('digits') ?? ''
    if (digits !== '' && !/^[0-9*#wW]{1,99}$/.test(digits))
      refuse(reading, element, 'digits of <Play> must be up to 99 of 0 to 9, *, # and w.')
    if (digits !== '') return { ...shared, source: null, digits }
    const text = textOf(element)
    if (text === '') refuse(reading, element, '<Play> must contain a URL.')
    const read = text === '' ? null : url(reading, element, text, 'URL in <Play>')
    return { ...shared, source: { kind: 'play', url: read ?? '' }, digits: null }
  },
  answers: () => true,
  prompts: ({ source }) => (source === null ? [] : [source]),
  write(verb, { promptUrl }) {
    if (verb.source !== null) return playTimes([promptUrl(verb.source)], verb.loop)
    return Array.from({ length: Math.min(verb.loop, mostDigitLoops) }, () => sendDigits(verb.digits)).flat()
  },
  after: goOn,
}

// Each round is two actions of its own, so "until hangup" is kept to what a document can hold.
const mostDigitLoops = 20
