import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { encodeMp3 } from '../../src/audio/recording-file.ts'
import { createResampler } from '../../src/audio/resample.ts'
import { toTelephoneWav } from '../../src/audio/telephone.ts'
import { readWavHeader, sampleReader, wavHeader } from '../../src/audio/wav.ts'
import { readWav, sine, strength, wav } from './sounds.ts'

async function convert(bytes: Buffer) {
  const converted = await toTelephoneWav(bytes)
  if ('problem' in converted) throw new Error(converted.problem)
  return readWav(converted.wav)
}

async function toMp3(bytes: Buffer): Promise<Buffer> {
  const parts: Uint8Array[] = []
  for await (const part of encodeMp3(
    (async function* () {
      yield bytes
    })(),
  ))
    parts.push(part)
  return Buffer.concat(parts)
}

describe('to telephone WAV', () => {
  test.each(['pcm8', 'pcm16', 'pcm24', 'pcm32', 'float32', 'float64'] as const)('%s', async (coding) => {
    const { rate, channels, samples } = await convert(wav([sine(440, 8000, 0.5)], 8000, coding))
    expect([rate, channels, samples.length]).toEqual([8000, 1, 4000])
    expect(strength(samples, 440, 8000)).toBeCloseTo(0.5, 2)
  })

  test.each([6000, 8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000, 96000, 11127])(
    'from %i Hz: as long, as loud, and without what does not belong',
    async (from) => {
      const { samples } = await convert(wav([sine(1000, from, 0.5)], from))
      expect(Math.abs(samples.length - 4000)).toBeLessThanOrEqual(2)
      expect(strength(samples, 1000, 8000)).toBeCloseTo(0.5, 2)
      for (const other of [300, 1700, 2500, 3300]) expect(strength(samples, other, 8000)).toBeLessThan(0.005)
    },
  )

  test('what is above 4 kHz is gone, not folded down', async () => {
    const { samples } = await convert(wav([sine(5000, 44100, 0.5)], 44100))
    expect(Math.max(...samples.map(Math.abs).subarray(400, 3600))).toBeLessThan(0.005)
  })

  test('channels are mixed', async () => {
    const { samples } = await convert(wav([sine(400, 8000, 0.5), sine(900, 8000, 0.5)], 8000))
    expect(strength(samples, 400, 8000)).toBeCloseTo(0.25, 2)
    expect(strength(samples, 900, 8000)).toBeCloseTo(0.25, 2)
  })

  test('MP3, mono and stereo, at several rates', async () => {
    for (const rate of [8000, 22050, 44100]) {
      const tone = sine(700, rate, 1)
      for (const channels of [[tone], [tone, tone]]) {
        const mp3 = await toMp3(wav(channels, rate))
        const { samples } = await convert(mp3)
        expect(samples.length / 8000).toBeGreaterThan(0.95)
        expect(samples.length / 8000).toBeLessThan(1.25)
        expect(strength(samples, 700, 8000)).toBeGreaterThan(0.4)
      }
    }
  })

  test('MP3 behind an ID3 tag', async () => {
    const tag = Buffer.concat([Buffer.from('ID3\x04\x00\x00\x00\x00\x02\x00', 'latin1'), Buffer.alloc(256)])
    const { samples } = await convert(Buffer.concat([tag, await toMp3(wav([sine(700, 16000, 0.5)], 16000))]))
    expect(strength(samples, 700, 8000)).toBeGreaterThan(0.4)
  })

  test.each([
    ['nothing', Buffer.alloc(0), 'is neither WAV nor MP3'],
    ['a page', Buffer.from('<!doctype html><p>Not found</p>'), 'is neither WAV nor MP3'],
    ['an Ogg file', Buffer.from('OggS\0\x02'), 'is neither WAV nor MP3'],
    ['a WAV file without sound', wav([new Float64Array(0)], 8000), 'holds no sound'],
    ['an MP3 file cut short', Buffer.from([0xff, 0xfb, 0x90, 0x00, 1, 2, 3]), 'holds no sound'],
    [
      '31 minutes',
      Buffer.concat([wavHeader(8000, 1, 0), Buffer.alloc(8000 * 2 * 1860)]),
      'is longer than 30 minutes',
    ],
  ])('%s is refused', async (_, bytes, problem) => {
    expect(await toTelephoneWav(bytes)).toEqual({ problem })
  })

  test('no bytes whatever make it fail or hang', async () => {
    const head = wav([sine(440, 8000, 0.01)], 8000)
    const bytes = fc.uint8Array({ maxLength: 400 }).map((end) => Buffer.from(end))
    const broken = fc
      .tuple(fc.nat(head.length - 1), bytes)
      .map(([at, end]) => Buffer.concat([head.subarray(0, at), end]))
    const mpeg = bytes.map((end) => Buffer.concat([Buffer.from([0xff, 0xfb, 0x90, 0x00]), end]))
    await fc.assert(
      fc.asyncProperty(fc.oneof(bytes, broken, mpeg), async (input) => {
        const converted = await toTelephoneWav(input)
        if ('wav' in converted) expect(readWav(converted.wav)).toMatchObject({ rate: 8000, channels: 1 })
      }),
      { numRuns: 150 },
    )
  })
})

describe('WAV', () => {
  test('A-law and mu-law are those of G.711', () => {
    const read = (coding: 'a-law' | 'mu-law', byte: number) =>
      sampleReader({ coding, bits: 8, channels: 1, rate: 8000, dataOffset: 0, dataBytes: 1 })(
        Buffer.from([byte]),
        0,
      ) * 32768
    expect([0xff, 0x7f, 0x80, 0x00, 0xf0, 0x8f].map((byte) => read('mu-law', byte))).toEqual([
      0, -0, 32124, -32124, 120, 16764,
    ])
    expect([0xd5, 0x55, 0xaa, 0x2a, 0x80].map((byte) => read('a-law', byte))).toEqual([
      8, -8, 32256, -32256, 5504,
    ])
  })

  test('what stands before the data is stepped over', () => {
    const plain = wav([sine(440, 8000, 0.1)], 8000)
    const chunk = Buffer.from('LIST\x05\x00\x00\x00INFO!\x00', 'latin1')
    const more = Buffer.concat([plain.subarray(0, 36), chunk, plain.subarray(36)])
    expect(readWavHeader(more)).toMatchObject({ dataOffset: 44 + chunk.length, dataBytes: 1600, rate: 8000 })
    expect(readWav(more).samples).toEqual(readWav(plain).samples)
  })
})

test('a sound is resampled the same in whatever pieces it comes', () => {
  const sound = Float32Array.from(sine(900, 44100, 0.1))
  const whole = createResampler(44100, 8000)
  const expected = [...whole.push(sound), ...whole.end()]
  expect(expected).toHaveLength(800)
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 1, max: 2000 }), { minLength: 1, maxLength: 20 }), (sizes) => {
      const resampler = createResampler(44100, 8000)
      const got: number[] = []
      let at = 0
      for (const size of sizes) {
        got.push(...resampler.push(sound.subarray(at, at + size)))
        at += size
      }
      got.push(...resampler.push(sound.subarray(at)), ...resampler.end())
      expect(got).toEqual(expected)
    }),
    // The first ends just short of what the filter of sample 320 reaches.
    { numRuns: 30, examples: [[[1859, 1086]]] },
  )
})
