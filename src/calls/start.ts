import type { RunningCall } from './call.ts'

/** Where TwiML comes from: a webhook, a text that is there already, or a number's sip_domain. */
export type DocumentSource =
  | { kind: 'webhook'; url: string; method: 'GET' | 'POST'; params?: Record<string, string> }
  | { kind: 'document'; text: string }
  | { kind: 'sip-domain'; number: string; domain: string }

/** A step that a call is about to take: its number, and where its document comes from. */
export type StartingStep = { step: number; source: Exclude<DocumentSource, { kind: 'sip-domain' }> }

/** The next step of a call from a source. */
export function startOf(call: Pick<RunningCall, 'step'>, source: DocumentSource): StartingStep {
  const plain =
    source.kind === 'sip-domain' ? { kind: 'document' as const, text: dialDocument(source) } : source
  return { step: call.step + 1, source: plain }
}

// The domain was checked when it was saved; a number is digits.
const dialDocument = ({ number, domain }: { number: string; domain: string }) =>
  `<Response><Dial><Sip>sip:${number}@${domain}</Sip></Dial></Response>`
