import type { RunningCall } from '../calls/call.ts'

/** Where TwiML comes from: a webhook, or a text that is there already. */
export type DocumentSource =
  | { kind: 'webhook'; url: string; method: 'GET' | 'POST'; params?: Record<string, string> }
  | { kind: 'document'; text: string }

/** A step that a call is about to take: its number, and where its document comes from. */
export type StartingStep = { step: number; source: DocumentSource }

/** The next step of a call from a source. */
export const startOf = (call: Pick<RunningCall, 'step'>, source: DocumentSource): StartingStep => ({
  step: call.step + 1,
  source,
})
