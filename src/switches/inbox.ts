/** Does one thing after the other, in the order in which they came. */
export type Inbox = {
  add(deed: () => Promise<void>): void
  /** Fulfilled when all that has come so far is done. */
  empty(): Promise<void>
}

const mostWaiting = 20_000

/** An inbox that goes on after a failure. What comes while far too much waits is dropped: the next comparison of
 * everything, and the CDRs, say the same again. */
export function createInbox(failed: (err: unknown) => void): Inbox {
  let last: Promise<void> = Promise.resolve()
  let waiting = 0
  const doNext = async (deed: () => Promise<void>) => {
    await deed().catch(failed)
    waiting--
  }
  return {
    add: (deed) => {
      if (waiting >= mostWaiting) return failed(new Error(`More than ${mostWaiting} events wait.`))
      waiting++
      last = last.then(() => doNext(deed))
    },
    empty: () => last,
  }
}
