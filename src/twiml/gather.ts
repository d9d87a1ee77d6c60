import type { PromptSource } from '../audio/prompt.ts'
import { collectDigits, flushDigits, silence, unset } from '../dialplan-action.ts'
import type { Webhook } from '../webhooks/webhook.ts'
import { type Element, elementsOf } from './document.ts'
import { type Pause, pause } from './pause.ts'
import { type Play, play } from './play.ts'
import { actionOrDocument, checkAttributes, flag, integer, type Reading, refuse, warn } from './reading.ts'
import { goOn, leave, type Rules } from './rules.ts'
import { type Say, say } from './say.ts'

/** `<Gather>`: digits from the caller's keypad, who may press while the nested verbs play. */
export type Gather = {
  verb: 'Gather'
  line: number
  /** Null: nobody is told. */
  action: Webhook | null
  timeoutSeconds: number
  /** Null: as many as come until the timeout or the finishing key. */
  numDigits: number | null
  /** Empty: no key finishes. */
  finishOnKey: string
  actionOnEmptyResult: boolean
  nested: readonly (Say | Play | Pause)[]
}

/** How `<Gather>` is read and written, and what comes after it. */
export const gather: Rules<Gather> = {
  leaves: true,
  read(element, reading) {
    checkAttributes(reading, element, [...served, ...tuning])
    checkInput(reading, element)
    return {
      verb: 'Gather',
      line: element.line,
      action: actionOrDocument(reading, element),
      timeoutSeconds: integer(reading, element, 'timeout', { least: 1, most: 600, otherwise: 5 }),
      numDigits: integer(reading, element, 'numDigits', { least: 1, most: mostDigits, otherwise: 0 }) || null,
      finishOnKey: readFinishOnKey(reading, element),
      actionOnEmptyResult: flag(reading, element, 'actionOnEmptyResult', false),
      nested: readNested(reading, element),
    }
  },
  answers: () => true,
  prompts: (verb) => [...new Set(heardIn(verb).filter((heard) => typeof heard !== 'number'))],
  write(verb, place) {
    const prompt = heardIn(verb).map((heard) =>
      typeof heard === 'number' ? silence(heard * 1000) : place.promptUrl(heard),
    )
    const collect = collectDigits({
      most: verb.numDigits ?? mostDigits,
      timeout: verb.timeoutSeconds * 1000,
      finishOnKey: verb.finishOnKey,
      prompt,
    })
    return leave(place, [...resultVariables.map(unset), flushDigits(), collect])
  },
  // Both parameters are always there at Twilio, empty or not.
  after({ action, actionOnEmptyResult }, { digits = '', finishedOnKey = '' }) {
    if (action === null || (digits === '' && !actionOnEmptyResult)) return goOn()
    return { next: 'request', ...action, params: { Digits: digits, FinishedOnKey: finishedOnKey } }
  },
}

// FreeSWITCH's buffer for digits holds 127 (freeswitch.md 5.3).
const mostDigits = 120
// The whole prompt is one argument of one action: its loops end when it is this many files long.
const mostFiles = 200
// They keep what an earlier Gather left in them (freeswitch.md 5.3).
const resultVariables = ['digits', 'digits_invalid', 'read_result', 'read_terminator_used']

const served = 'action method timeout numDigits finishOnKey actionOnEmptyResult input'.split(' ')
// Speech is not recognised here; what only tunes its recognition changes nothing about digits.
const tuning = (
  'language hints speechTimeout speechModel enhanced profanityFilter ' +
  'partialResultCallback partialResultCallbackMethod bargeIn debug'
).split(' ')

function checkInput(reading: Reading, element: Element): void {
  const input = (element.attributes.get('input') ?? 'dtmf').split(/[\s,]+/)
  if (!input.includes('dtmf')) refuse(reading, element, '<Gather> can take dtmf only, not speech.')
  else if (input.includes('speech')) warn(reading, element, '<Gather> takes dtmf only; speech is ignored.')
}

function readFinishOnKey(reading: Reading, element: Element): string {
  const key = element.attributes.get('finishOnKey') ?? '#'
  if (/^[0-9*#]?$/.test(key)) return key
  warn(reading, element, 'finishOnKey must be one of 0 to 9, *, # or empty; # is used.')
  return '#'
}

function readNested(reading: Reading, element: Element): Gather['nested'] {
  return elementsOf(element.content).flatMap((inner): (Say | Play | Pause)[] => {
    if (inner.name === 'Say') return [say.read(inner, reading)]
    if (inner.name === 'Play') return [play.read(inner, reading)]
    if (inner.name === 'Pause') return [pause.read(inner, reading)]
    refuse(reading, inner, `<${inner.name}> is not allowed within <Gather>.`)
    return []
  })
}

// A prompt, or seconds of silence, for each file that is heard.
const heardIn = ({ nested }: Gather): (PromptSource | number)[] =>
  nested.flatMap(piecesOf).slice(0, mostFiles)

// Digits that a nested Play would send have no place in a prompt that listens for digits: they are not played.
function piecesOf(nested: Say | Play | Pause): (PromptSource | number)[] {
  if (nested.verb === 'Pause') return nested.seconds === 0 ? [] : [nested.seconds]
  const prompts = nested.verb === 'Say' ? say.prompts(nested) : play.prompts(nested)
  return Array.from({ length: Math.min(nested.loop, mostFiles) }, () => prompts).flat()
}
