type Gate = { running: number; waiting: (() => void)[] }

const gates = new Map<string, Gate>()

/** Does a piece of work once fewer than `most` of that name are being done in this process. */
export async function limited<Result>(
  name: string,
  most: number,
  work: () => Promise<Result>,
): Promise<Result> {
  const gate = gates.get(name) ?? { running: 0, waiting: [] }
  gates.set(name, gate)
  if (gate.running >= most) await new Promise<void>((resolve) => gate.waiting.push(resolve))
  else gate.running++
  try {
    return await work()
  } finally {
    const next = gate.waiting.shift()
    if (next !== undefined) next()
    else if (--gate.running === 0) gates.delete(name)
  }
}
