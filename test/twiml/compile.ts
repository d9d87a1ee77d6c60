import twilio from 'twilio'
import type { PromptSource } from '../../src/audio/prompt.ts'
import type { Action } from '../../src/dialplan-action.ts'
import { legVariables } from '../../src/twiml/dial.ts'
import type { Problem } from '../../src/twiml/document.ts'
import { readTwiml } from '../../src/twiml/read-twiml.ts'
import { type Facts, stopOf, type Verb, writeSegment } from '../../src/twiml/verb.ts'

type VoiceResponse = InstanceType<typeof twilio.twiml.VoiceResponse>

/** The URL that test documents come from. */
export const base = 'https://app.example.com/voice/in?t=1'
export const callId = '11111111-2222-4333-8444-555555555555'
export const childId = '99999999-2222-4333-8444-555555555555'

/** A document as the official package writes it. */
export function twiml(build: (response: VoiceResponse) => void): string {
  const response = new twilio.twiml.VoiceResponse()
  build(response)
  return response.toString()
}

/** The verbs of a document that must be right. */
export function verbsOf(document: string, from: string | null = base): Verb[] {
  const read = readTwiml(document, from)
  if (!read.ok) throw new Error(`Line ${read.problem.line}: ${read.problem.message}`)
  return read.verbs
}

/** Why a document is refused. */
export function problemOf(document: string, from: string | null = base): Problem {
  const read = readTwiml(document, from)
  if (read.ok) throw new Error('The document was accepted.')
  return read.problem
}

/** What in a document is not used as it stands. */
export function warningsOf(document: string, from: string | null = base): string[] {
  const read = readTwiml(document, from)
  if (!read.ok) throw new Error(read.problem.message)
  return read.warnings.map(({ line, message }) => `${line}: ${message}`)
}

/** A name for a prompt that says what it is made of, in characters that an URL of ours may have. */
export const promptUrl = (source: PromptSource): string =>
  `http://switch:3001/freeswitch/audio/${
    source.kind === 'say'
      ? `say-${source.voice}-${source.language}-${source.text
          .toLowerCase()
          .replace(/[^a-z0-9]+/g, '_')
          .slice(0, 40)}`
      : `play-${new URL(source.url).pathname.replace(/[^a-z0-9]+/gi, '_').slice(0, 40)}`
  }.wav`

/** Facts as calls/ would give them, with a leg for each target of the Dial that the segment stops at. */
export function factsFor(verbs: readonly Verb[], from: number, changed: Partial<Facts> = {}): Facts {
  const stop = stopOf(verbs, from)?.verb
  return {
    callId,
    step: 3,
    answered: false,
    role: { kind: 'call' },
    promptUrl,
    recordingUrl: 'http://switch:3001/freeswitch/recordings/aBc123.wav',
    ...(stop?.verb === 'Dial'
      ? {
          dial: {
            callerId: stop.callerId,
            legs: stop.targets.map((target, n) => ({
              endpoint: `sofia/gateway/trunk/${n}`,
              variables: legVariables(stop, target, childId),
            })),
          },
        }
      : {}),
    ...changed,
  }
}

/** The segment of a document from a verb on. */
export function segmentOf(document: string, from = 0, changed: Partial<Facts> = {}) {
  const verbs = verbsOf(document)
  return writeSegment(verbs, from, factsFor(verbs, from, changed))
}

/** Its actions, one a line: `application data`. */
export function actionsOf(document: string, from = 0, changed: Partial<Facts> = {}): string[] {
  return segmentOf(document, from, changed).actions.map(written)
}

const written = ({ application, data }: Action) => (data === '' ? application : `${application} ${data}`)
