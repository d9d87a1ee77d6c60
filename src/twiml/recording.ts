import { type Action, set } from '../dialplan-action.ts'
import type { Webhook } from '../webhooks/webhook.ts'
import type { Element } from './document.ts'
import { choice, choices, type Reading, webhook } from './reading.ts'

/** What becomes of a recording, as Record and Dial both say it. */
export type RecordingOrder = {
  trim: boolean
  callback: Webhook | null
  events: readonly RecordingEvent[]
}
/** Which sides of a call are recorded, seen from us (inbound: what we hear), and whether each has a channel of its own. */
export type RecordedSides = { channels: 1 | 2; track: RecordingTrack }
type RecordingTrack = (typeof recordingTracks)[number]
/** All that can be said of the sides. */
export const recordingTracks = ['both', 'inbound', 'outbound'] as const

/** What makes the recording of a session take these sides. */
export const takeSides = ({ channels, track }: RecordedSides): Action[] => [
  set('RECORD_STEREO', String(channels === 2)),
  set('RECORD_READ_ONLY', String(track === 'inbound')),
  set('RECORD_WRITE_ONLY', String(track === 'outbound')),
]

/** A recording's progress that a customer can be told of (Twilio's recordingStatusCallbackEvent). */
export type RecordingEvent = (typeof recordingEvents)[number]
/** All of them. */
export const recordingEvents = ['in-progress', 'completed', 'absent'] as const

/** The attributes that `readRecordingOrder` reads. */
export const recordingAttributes = [
  'trim',
  'recordingStatusCallback',
  'recordingStatusCallbackMethod',
  'recordingStatusCallbackEvent',
]

/** Reads those attributes; Record trims silence unless told not to, Dial only when told to. */
export function readRecordingOrder(
  reading: Reading,
  element: Element,
  trim: 'trim-silence' | 'do-not-trim',
): RecordingOrder {
  return {
    trim: choice(reading, element, 'trim', ['trim-silence', 'do-not-trim'], trim) === 'trim-silence',
    callback: webhook(reading, element, 'recordingStatusCallback', 'recordingStatusCallbackMethod'),
    events: choices(reading, element, 'recordingStatusCallbackEvent', recordingEvents, ['completed']),
  }
}
