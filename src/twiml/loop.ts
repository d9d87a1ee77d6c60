import type { Element } from './document.ts'
import { integer, type Reading } from './reading.ts'

/** Twilio plays "until hangup" this often (https://www.twilio.com/docs/voice/twiml/say#loop). */
const mostLoops = 1000

/** How often a Say or Play is heard: once when absent or no number, 0 as often as Twilio ever does. */
export function loop(reading: Reading, element: Element): number {
  const times = integer(reading, element, 'loop', { least: 0, most: mostLoops, otherwise: 1 })
  return times === 0 ? mostLoops : times
}
