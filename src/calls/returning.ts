/** A call that comes back to context `twiml`: whose it claims to be, and how its last verb ended. */
export type Returning = {
  /** The call id that it was sent back to. */
  destination: string
  channelUuid: string
  answered: boolean
  ringingAt: Date | null
  /** For a leg within its Dial: within how many earlier parts of its TwiML it asks for this one. */
  depth: number
  /** How the last verb ended, as channel variables tell it (freeswitch.md 5). */
  outcome: {
    /** `<step>.<index>` of the verb that left the document, as we set it. */
    at: string | null
    digits: string | null
    /** Key that ended a Gather, or a Record. */
    finishedOnKey: string | null
    terminator: string | null
    disposition: string | null
    /** Channel that a Dial joined. */
    joinedUuid: string | null
    /** Each channel that a Dial had, and the hangup cause that it has by then: `NONE` while it is not over. */
    causes: ReadonlyMap<string, string>
  }
}

/** The index of the verb that a channel left last (`<step>.<index>`); null when that was in an older document than the
 * call's newest, of which it says nothing. */
export function positionIn(at: string | null, step: number): number | null {
  const match = /^(\d{1,9})\.(\d{1,9})$/.exec(at ?? '')
  return match && Number(match[1]) === step ? Number(match[2]) : null
}

/** A channel's `twiml_at` taken apart: its place, and within how many parts of a whisper it is (`<place>@<depth>`). */
export function placeIn(twimlAt: string | null): { at: string | null; depth: number } {
  const [, at = twimlAt, depth = 0] = /^(.*)@(\d{1,3})$/.exec(twimlAt ?? '') ?? []
  return { at, depth: Number(depth) }
}
