type Waiting = { wish: Wish; enter: (passes: boolean) => void }
type Gate = { running: number; waiting: Waiting[] }

const gates = new Map<string, Gate>()

/** Whether a call waits for a piece of work. Such work goes before what is only made ahead, also when the call comes while
 * the work is waiting already. */
export type Wish = { urgent: boolean }

/** Does a piece of work once fewer than `most` of that name are being done in this process; null when that takes longer
 * than the patience. */
export async function limited<Result>(
  name: string,
  { most, patienceMs }: { most: number; patienceMs: number },
  work: () => Promise<Result>,
  wish: Wish = { urgent: true },
): Promise<Result | null> {
  const gate = gates.get(name) ?? { running: 0, waiting: [] }
  gates.set(name, gate)
  if (gate.running < most) gate.running++
  else if (!(await turn(gate, patienceMs, wish))) return null
  try {
    return await work()
  } finally {
    const next = takeNext(gate)
    if (next !== undefined) next.enter(true)
    else if (--gate.running === 0) gates.delete(name)
  }
}

/** Does work for each item, in order and so many at a time, until nothing more is wanted. */
export async function inOrder<Item>(
  items: readonly Item[],
  most: number,
  work: (item: Item) => Promise<void>,
  wanted: () => boolean = () => true,
): Promise<void> {
  const rest = items.values()
  const one = async () => {
    for (const item of rest) {
      await work(item)
      if (!wanted()) return
    }
  }
  await Promise.all(Array.from({ length: most }, one))
}

function turn(gate: Gate, patienceMs: number, wish: Wish): Promise<boolean> {
  return new Promise((resolve) => {
    const enter = (passes: boolean) => {
      clearTimeout(timer)
      resolve(passes)
    }
    const timer = setTimeout(() => {
      gate.waiting = gate.waiting.filter((other) => other.enter !== enter)
      resolve(false)
    }, patienceMs)
    gate.waiting.push({ wish, enter })
  })
}

function takeNext(gate: Gate): Waiting | undefined {
  const urgent = gate.waiting.findIndex(({ wish }) => wish.urgent)
  return gate.waiting.splice(Math.max(0, urgent), 1)[0]
}
