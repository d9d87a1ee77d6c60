import { setImmediate as nextTurn } from 'node:timers/promises'
import { type Block, decodeAudio } from './decode.ts'
import { createResampler } from './resample.ts'
import { wavHeader } from './wav.ts'

/** What calls are in: 8000 samples a second, 16 bits, one channel. */
const telephoneRate = 8000
const mostSeconds = 30 * 60

/** A WAV or MP3 file as telephone WAV; or why not, as the rest of a sentence. The work is done in small parts, so that
 * other calls are served between them. */
export async function toTelephoneWav(bytes: Buffer): Promise<{ wav: Buffer } | { problem: string }> {
  const blocks = decodeAudio(bytes)
  if (blocks === null) return { problem: 'is neither WAV nor MP3' }
  const parts: Buffer[] = []
  let length = 0
  for await (const part of resampled(blocks)) {
    parts.push(part)
    length += part.length
    if (length > mostSeconds * telephoneRate * 2)
      return { problem: `is longer than ${mostSeconds / 60} minutes` }
    await nextTurn()
  }
  if (length === 0) return { problem: 'holds no sound' }
  return { wav: Buffer.concat([wavHeader(telephoneRate, 1, length), ...parts]) }
}

// An MP3 may change its rate on the way: what one resampler still holds goes out before the next begins.
async function* resampled(blocks: AsyncIterable<Block>): AsyncGenerator<Buffer> {
  let rate = telephoneRate
  let resampler = createResampler(rate, telephoneRate)
  for await (const block of blocks) {
    if (block.rate !== rate) {
      yield toPcm(resampler.end())
      rate = block.rate
      resampler = createResampler(rate, telephoneRate)
    }
    yield toPcm(resampler.push(block.samples))
  }
  yield toPcm(resampler.end())
}

function toPcm(samples: Float32Array): Buffer {
  const pcm = Buffer.alloc(samples.length * 2)
  for (let i = 0; i < samples.length; i++)
    pcm.writeInt16LE(Math.max(-32768, Math.min(32767, Math.round((samples[i] ?? 0) * 32768))), i * 2)
  return pcm
}
