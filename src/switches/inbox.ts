/** Does what comes about one thing in the order in which it came, and about different things a few at a time, so that one
 * that is slow, such as a call whose row somebody holds locked, does not hold up all. */
export type Inbox = {
  /** `about`: what it concerns. */
  add(about: string, deed: () => Promise<void>): void
  /** Fulfilled when all that has come so far is done. */
  empty(): Promise<void>
}

const mostWaiting = 20_000

/** An inbox with so many lanes; each may take a connection of the database at the same time. It goes on after a failure. What
 * comes while far too much waits is dropped: the next comparison of everything, and the CDRs, say the same again. */
export function createInbox(lanes: number, failed: (err: unknown) => void): Inbox {
  const last = Array.from({ length: lanes }, () => Promise.resolve())
  let waiting = 0
  const doNext = async (deed: () => Promise<void>) => {
    await deed().catch(failed)
    waiting--
  }
  return {
    add: (about, deed) => {
      if (waiting >= mostWaiting) return failed(new Error(`More than ${mostWaiting} events wait.`))
      waiting++
      const lane = hash(about) % lanes
      last[lane] = (last[lane] ?? Promise.resolve()).then(() => doNext(deed))
    },
    empty: async () => {
      await Promise.all(last)
    },
  }
}

const hash = (text: string): number =>
  [...text].reduce((sum, letter) => (31 * sum + letter.charCodeAt(0)) >>> 0, 0)
