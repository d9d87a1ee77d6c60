/** Does one thing for each name, some names at once, each name never twice at once. */
export type Queue = {
  /** Has it done for a name: soon, once for all asking until it begins, and again when asked while it is under way. */
  push(name: string): void
  /** Whether it is being done for a name. */
  doing(name: string): boolean
  /** Forgets everything that has not begun. */
  clear(): void
  /** Fulfilled when nothing is under way or waits. */
  idle(): Promise<void>
}

const firstRetryMs = 1000
const longestRetryMs = 60_000

/** A queue whose deed tells whether it was done; what was not is tried again, after ever longer waits. */
export function createQueue(deed: (name: string) => Promise<boolean>, mostAtOnce: number): Queue {
  const waiting = new Set<string>()
  const underWay = new Set<string>()
  const retries = new Map<string, { tries: number; timer: NodeJS.Timeout | null }>()
  let waiters: (() => void)[] = []

  const begin = (name: string) => {
    waiting.delete(name)
    underWay.add(name)
    void deed(name).then((done) => {
      underWay.delete(name)
      if (done) retries.delete(name)
      else retryLater(name)
      next()
    })
  }
  const retryLater = (name: string) => {
    const tries = (retries.get(name)?.tries ?? 0) + 1
    const timer = setTimeout(() => push(name), Math.min(firstRetryMs * 2 ** (tries - 1), longestRetryMs))
    retries.set(name, { tries, timer: timer.unref() })
  }
  const next = () => {
    for (const name of waiting) {
      if (underWay.size >= mostAtOnce) return
      if (!underWay.has(name)) begin(name)
    }
    if (waiting.size + underWay.size > 0) return
    for (const tell of waiters.splice(0)) tell()
  }
  const push = (name: string) => {
    clearTimeout(retries.get(name)?.timer ?? undefined)
    waiting.add(name)
    next()
  }
  return {
    push,
    doing: (name) => underWay.has(name),
    clear: () => {
      waiting.clear()
      for (const { timer } of retries.values()) clearTimeout(timer ?? undefined)
      retries.clear()
      next()
    },
    idle: () => {
      if (waiting.size + underWay.size === 0) return Promise.resolve()
      return new Promise((resolve) => {
        waiters = [...waiters, resolve]
      })
    },
  }
}
