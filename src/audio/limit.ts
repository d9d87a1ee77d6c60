type Gate = { running: number; waiting: ((passes: boolean) => void)[] }

const gates = new Map<string, Gate>()

/** Does a piece of work once fewer than `most` of that name are being done in this process; null when that takes longer
 * than the patience. */
export async function limited<Result>(
  name: string,
  { most, patienceMs }: { most: number; patienceMs: number },
  work: () => Promise<Result>,
): Promise<Result | null> {
  const gate = gates.get(name) ?? { running: 0, waiting: [] }
  gates.set(name, gate)
  if (gate.running < most) gate.running++
  else if (!(await turn(gate, patienceMs))) return null
  try {
    return await work()
  } finally {
    const next = gate.waiting.shift()
    if (next !== undefined) next(true)
    else if (--gate.running === 0) gates.delete(name)
  }
}

function turn(gate: Gate, patienceMs: number): Promise<boolean> {
  return new Promise((resolve) => {
    const enter = (passes: boolean) => {
      clearTimeout(timer)
      resolve(passes)
    }
    const timer = setTimeout(() => {
      gate.waiting = gate.waiting.filter((other) => other !== enter)
      resolve(false)
    }, patienceMs)
    gate.waiting.push(enter)
  })
}
