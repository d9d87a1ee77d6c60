import type { PromptSource } from '../audio/prompt.ts'
import { speakerFor } from '../audio/voice.ts'
import { playTimes } from '../dialplan-action.ts'
import { type Element, elementsOf, textOf } from './document.ts'
import { loop } from './loop.ts'
import { checkAttributes, type Reading, refuse } from './reading.ts'
import { goOn, type Rules } from './rules.ts'

/** `<Say>`: a text that is spoken `loop` times; empty, nothing is heard. */
export type Say = { verb: 'Say'; line: number; source: PromptSource & { kind: 'say' }; loop: number }

/** How `<Say>` is read and written, and what comes after it. */
export const say: Rules<Say> = {
  leaves: false,
  read(element, reading) {
    checkAttributes(reading, element, ['voice', 'language', 'loop'])
    const text = spokenText(element, reading)
    const { voice, language } = speakerFor(
      element.attributes.get('voice') ?? null,
      element.attributes.get('language') ?? null,
    )
    return {
      verb: 'Say',
      line: element.line,
      source: { kind: 'say', text, voice, language },
      loop: loop(reading, element),
    }
  },
  answers: () => true,
  prompts: ({ source }) => (source.text === '' ? [] : [source]),
  write: (verb, { promptUrl }) => playTimes(say.prompts(verb).map(promptUrl), verb.loop),
  after: goOn,
}

/** Twilio's limit for the text of one Say. */
const mostCharacters = 4096

function spokenText(element: Element, reading: Reading): string {
  for (const inner of elementsOf(element.content)) checkSsml(inner, element, reading)
  const text = textOf(element)
  if (text.length > mostCharacters)
    refuse(reading, element, `The text of <Say> is longer than ${mostCharacters} characters.`)
  return text
}

// SSML is let in so that documents written for Twilio run; its text is spoken, its markup has no effect.
const ssml = 'amazon:effect amazon:domain break emphasis lang p phoneme prosody s say-as sub w mark'.split(
  ' ',
)

function checkSsml(element: Element, say: Element, reading: Reading): void {
  if (!ssml.includes(element.name))
    refuse(reading, element, `<${element.name}> is not allowed within <${say.name}>.`)
  for (const inner of elementsOf(element.content)) checkSsml(inner, say, reading)
}
