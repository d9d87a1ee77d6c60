/** Which samples of a recording are more than silence: the first, and the one after the last. */
export type LoudPart = { from: number; to: number }

// 20 ms at a time; loud is what the mean of a part says, so that a click is not. 200 is what `record` is told as well.
const partsInSecond = 50
const loudness = 200

/** Listens to 16-bit samples given in pieces of any length, channels interleaved. `end` gives the loud part in frames,
 * null when all was silence. */
export function createListener(rate: number, channels: number) {
  const partLength = Math.round(rate / partsInSecond) * channels
  let [position, sum, partStart] = [0, 0, 0]
  let loud: LoudPart | null = null
  const endPart = () => {
    const length = position - partStart
    if (length > 0 && sum / length >= loudness)
      loud = { from: loud?.from ?? partStart / channels, to: position / channels }
    sum = 0
    partStart = position
  }
  return {
    hear(samples: Int16Array) {
      for (const sample of samples) {
        sum += Math.abs(sample)
        position++
        if (position - partStart === partLength) endPart()
      }
    },
    end(): LoudPart | null {
      endPart()
      return loud
    },
  }
}
