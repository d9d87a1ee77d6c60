import { beep, play, record as recordAction, stopOnKeys } from '../dialplan-action.ts'
import type { Webhook } from '../webhooks/webhook.ts'
import type { Element } from './document.ts'
import {
  actionOrDocument,
  checkAttributes,
  checkNoElements,
  flag,
  integer,
  type Reading,
  warn,
} from './reading.ts'
import { type RecordingOrder, readRecordingOrder, recordingAttributes } from './recording.ts'
import { goOn, leave, type Rules, recordedParams } from './rules.ts'

/** `<Record>`: what the caller says, until silence, a key, the longest time or the end of the call. */
export type Record = {
  verb: 'Record'
  line: number
  /** Null: nobody is told. */
  action: Webhook | null
  /** Seconds of silence that end it; 0: none does. */
  timeoutSeconds: number
  maxSeconds: number
  /** Any of these keys ends it; empty: none does. */
  finishOnKeys: string
  playBeep: boolean
  recording: RecordingOrder
}

/** How `<Record>` is read and written, and what comes after it. */
export const record: Rules<Record> = {
  leaves: true,
  read(element, reading) {
    checkAttributes(reading, element, [...served, ...recordingAttributes], unserved)
    checkNoElements(reading, element)
    return {
      verb: 'Record',
      line: element.line,
      action: actionOrDocument(reading, element),
      timeoutSeconds: integer(reading, element, 'timeout', { least: 0, most: 14400, otherwise: 5 }),
      maxSeconds: integer(reading, element, 'maxLength', { least: 1, most: 14400, otherwise: 3600 }),
      finishOnKeys: readFinishOnKeys(reading, element),
      playBeep: flag(reading, element, 'playBeep', true),
      recording: readRecordingOrder(reading, element, 'trim-silence'),
    }
  },
  answers: () => true,
  prompts: () => [],
  write(verb, place) {
    if (place.recordingUrl === undefined) throw new Error('A Record needs a URL to upload to.')
    return leave(place, [
      ...(verb.playBeep ? [play([beep])] : []),
      stopOnKeys(verb.finishOnKeys),
      recordAction(place.recordingUrl, verb.maxSeconds, verb.timeoutSeconds),
    ])
  },
  // Twilio asks nothing when there was only silence: the next verb.
  after({ action }, { record: taken }) {
    if (taken === undefined || taken.seconds === 0 || action === null) return goOn()
    return {
      next: 'request',
      ...action,
      params: {
        ...recordedParams(taken),
        ...(taken.endedBy === '' ? {} : { Digits: taken.endedBy }),
      },
    }
  },
}

const served = 'action method timeout maxLength finishOnKey playBeep'.split(' ')
const unserved = { transcribe: ['false'], transcribeCallback: [] }
const anyKey = '1234567890*#'

function readFinishOnKeys(reading: Reading, element: Element): string {
  const keys = element.attributes.get('finishOnKey') ?? anyKey
  if (/^[0-9*#]{0,12}$/.test(keys)) return keys
  warn(reading, element, 'finishOnKey must be made of 0 to 9, * and #; any key is used.')
  return anyKey
}
