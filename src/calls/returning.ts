/** A call that comes back to context `twiml`: whose it claims to be, and how its last verb ended. */
export type Returning = {
  /** The call id that it was sent back to. */
  destination: string
  channelUuid: string
  answered: boolean
  ringingAt: Date | null
  outcome: {
    at: string | null
    digits: string | null
    finishedOnKey: string | null
    terminator: string | null
    disposition: string | null
    joinedUuid: string | null
    causes: ReadonlyMap<string, string>
  }
}

/** The index of the verb that a channel left last (`<step>.<index>`); null when that was in an older document than the
 * call's newest, of which it says nothing. */
export function positionIn(at: string | null, step: number): number | null {
  const match = /^(\d{1,9})\.(\d{1,9})$/.exec(at ?? '')
  return match && Number(match[1]) === step ? Number(match[2]) : null
}
