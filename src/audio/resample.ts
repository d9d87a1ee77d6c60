/** Takes a sound in blocks and gives it at another rate; `end` gives what is still held back. */
export type Resampler = {
  push(block: Float32Array): Float32Array
  end(): Float32Array
}

/** A resampler by windowed sinc (Blackman window): what the new rate cannot hold is filtered out before. */
export function createResampler(from: number, to: number): Resampler {
  if (from === to) return { push: (block) => block, end: () => new Float32Array(0) }
  const filter = designFilter(from, to)
  const { reach } = filter
  // The input still needed, and the index of its first sample; silence stands before the sound.
  let held: Float32Array = new Float32Array(reach)
  let heldFrom = -reach
  let produced = 0
  const run = (block: Float32Array): Float32Array => {
    held = join(held, block)
    const heldTo = heldFrom + held.length
    // A sample is ready when all that its filter reaches has come: its place lies before heldTo - reach - 1.
    const ready = Math.max(0, Math.ceil(((heldTo - reach - 1) * to) / from) - produced)
    const output = new Float32Array(ready)
    // In whole numbers, so that the place of a sample does not depend on the blocks that it came in.
    for (let i = 0; i < ready; i++) {
      const place = (produced + i) * from
      output[i] = sampleAt(filter, held, Math.floor(place / to) - heldFrom, (place % to) / to)
    }
    produced += ready
    const needed = Math.max(0, Math.floor((produced * from) / to) - reach - heldFrom)
    held = held.slice(needed)
    heldFrom += needed
    return output
  }
  return { push: run, end: () => run(new Float32Array(reach + 1)) }
}

type Filter = { phases: number; reach: number; taps: Float32Array[] }

// Zero crossings of the sinc on each side, and how finely the place between two samples is told.
const crossings = 16
const mostPhases = 512

function designFilter(from: number, to: number): Filter {
  const cutoff = 0.94 * Math.min(1, to / from)
  const reach = Math.ceil(crossings / cutoff)
  const phases = Math.min(to / greatestCommonDivisor(from, to), mostPhases)
  const taps = Array.from({ length: phases + 1 }, (_, phase) => tapsAt(phase / phases, cutoff, reach))
  return { phases, reach, taps }
}

// The weights of the input samples around a place that lies `offset` behind the middle one; their sum is 1.
function tapsAt(offset: number, cutoff: number, reach: number): Float32Array {
  const weights = Float32Array.from({ length: 2 * reach + 2 }, (_, i) => {
    const x = i - reach - offset
    const angle = Math.PI * x * cutoff
    const sinc = x === 0 ? 1 : Math.sin(angle) / angle
    const place = x / (reach + 1)
    const window =
      Math.abs(place) > 1 ? 0 : 0.42 + 0.5 * Math.cos(Math.PI * place) + 0.08 * Math.cos(2 * Math.PI * place)
    return sinc * window
  })
  const sum = weights.reduce((total, weight) => total + weight, 0)
  return weights.map((weight) => weight / sum)
}

function sampleAt(
  { phases, reach, taps }: Filter,
  input: Float32Array,
  middle: number,
  behind: number,
): number {
  const weights = taps[Math.round(behind * phases)]
  if (weights === undefined) return 0
  let sum = 0
  for (let i = 0; i < weights.length; i++) sum += (weights[i] ?? 0) * (input[middle - reach + i] ?? 0)
  return sum
}

function join(a: Float32Array, b: Float32Array): Float32Array {
  const joined = new Float32Array(a.length + b.length)
  joined.set(a)
  joined.set(b, a.length)
  return joined
}

function greatestCommonDivisor(a: number, b: number): number {
  return b === 0 ? a : greatestCommonDivisor(b, a % b)
}
