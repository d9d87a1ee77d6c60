import { type DialledNumber, type SipUri, toDialledNumber, toSipUri } from '../sip-uri.ts'
import { type CallEvent, callEvents, type StatusCallback, type Webhook } from '../webhooks/webhook.ts'
import { type Element, elementsOf, textOf } from './document.ts'
import { checkAttributes, checkNoElements, choices, quote, type Reading, refuse, webhook } from './reading.ts'

/** One of those whom a Dial rings. */
export type Target = {
  /** TwiML that the called leg runs after its answer and before it is joined. */
  whisper: Webhook | null
  statusCallback: StatusCallback | null
} & ({ kind: 'number'; number: DialledNumber; sendDigits: string | null } | { kind: 'sip'; uri: SipUri })

/** Twilio rings ten at most. */
const mostTargets = 10

/** Reads whom a `<Dial>` rings: its Number and Sip elements in order, and a number standing as plain text. */
export function readTargets(element: Element, reading: Reading): Target[] {
  const text = element.content
    .filter((node) => typeof node === 'string')
    .join('')
    .trim()
  const plain = text === '' ? [] : numberTarget(reading, element, text)
  const nouns = elementsOf(element.content).flatMap((noun) => readNoun(reading, noun))
  const targets = [...plain, ...nouns]
  if (text === '' && elementsOf(element.content).length === 0)
    refuse(reading, element, '<Dial> must contain a number, <Number> or <Sip>.')
  if (targets.length > mostTargets)
    refuse(reading, element, `<Dial> can ring ${mostTargets} at most, not ${targets.length}.`)
  return targets
}

function readNoun(reading: Reading, noun: Element): Target[] {
  if (noun.name === 'Number') return readNumber(reading, noun)
  if (noun.name === 'Sip') return readSip(reading, noun)
  refuse(reading, noun, `<${noun.name}> is not allowed within <Dial>.`)
  return []
}

const served = 'url method statusCallback statusCallbackMethod statusCallbackEvent'.split(' ')
const detection = Object.fromEntries(
  (
    'machineDetection machineDetectionTimeout machineDetectionSpeechThreshold ' +
    'machineDetectionSpeechEndThreshold machineDetectionSilenceTimeout amdStatusCallback ' +
    'amdStatusCallbackMethod'
  )
    .split(' ')
    .map((name) => [name, [] as string[]]),
)

function readNumber(reading: Reading, noun: Element): Target[] {
  checkAttributes(reading, noun, [...served, 'sendDigits'], { ...detection, byoc: [] })
  checkNoElements(reading, noun)
  const digits = noun.attributes.get('sendDigits') ?? ''
  if (!/^[0-9*#wW]{0,32}$/.test(digits))
    refuse(reading, noun, 'sendDigits of <Number> must be up to 32 of 0 to 9, *, # and w.')
  return numberTarget(reading, noun, textOf(noun)).map((target) => ({
    ...target,
    ...readShared(reading, noun),
    sendDigits: digits === '' ? null : digits,
  }))
}

// A password in a dial string would stand in the logs and CDRs of the switch.
function readSip(reading: Reading, noun: Element): Target[] {
  checkAttributes(reading, noun, served, { ...detection, username: [], password: [] })
  checkNoElements(reading, noun)
  const text = textOf(noun)
  const uri = toSipUri(text)
  if (uri !== null) return [{ kind: 'sip', uri, ...readShared(reading, noun) }]
  refuse(reading, noun, `<Sip> must contain a SIP URI (sip:user@host), not ${quote(text)}.`)
  return []
}

function numberTarget(reading: Reading, element: Element, text: string) {
  const number = toDialledNumber(text.replace(/[\s().-]/g, ''))
  if (number !== null)
    return [{ kind: 'number' as const, number, sendDigits: null, whisper: null, statusCallback: null }]
  refuse(reading, element, `<${element.name}> must contain a phone number, not ${quote(text)}.`)
  return []
}

function readShared(reading: Reading, noun: Element): Pick<Target, 'whisper' | 'statusCallback'> {
  const events: readonly CallEvent[] = choices(reading, noun, 'statusCallbackEvent', callEvents, [
    'completed',
  ])
  const callback = webhook(reading, noun, 'statusCallback', 'statusCallbackMethod')
  return {
    whisper: webhook(reading, noun, 'url', 'method'),
    statusCallback: callback === null ? null : { ...callback, events },
  }
}
