/** Median and 99th percentile, in milliseconds, of a deed done `times` times after some rounds to warm up. */
export async function measure(times: number, deed: (round: number) => Promise<unknown> | unknown) {
  for (let round = 0; round < Math.min(50, times); round++) await deed(round)
  const taken: number[] = []
  for (let round = 0; round < times; round++) {
    const began = performance.now()
    await deed(round)
    taken.push(performance.now() - began)
  }
  taken.sort((a, b) => a - b)
  const at = (part: number) => taken[Math.min(taken.length - 1, Math.floor(taken.length * part))] ?? 0
  return { p50: at(0.5), p99: at(0.99) }
}

/** A row of a table on the console. */
export function row(name: string, ...cells: (string | number)[]): void {
  const shown = cells.map((cell) => (typeof cell === 'number' ? cell.toFixed(2) : cell).padStart(12))
  console.log(name.padEnd(58) + shown.join(''))
}
