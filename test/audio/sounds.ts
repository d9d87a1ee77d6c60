import { readWavHeader, sampleReader, wavHeader } from '../../src/audio/wav.ts'

/** A sine of so many seconds. */
export function sine(frequency: number, rate: number, seconds: number, amplitude = 0.5): Float64Array {
  return Float64Array.from(
    { length: Math.round(rate * seconds) },
    (_, i) => amplitude * Math.sin((2 * Math.PI * frequency * i) / rate),
  )
}

/** A WAV file in one of the ways in which samples are written. */
export function wav(
  channels: readonly Float64Array[],
  rate: number,
  coding: 'pcm8' | 'pcm16' | 'pcm24' | 'pcm32' | 'float32' | 'float64' = 'pcm16',
): Buffer {
  const bits = Number(/\d+/.exec(coding)?.[0])
  const frames = channels[0]?.length ?? 0
  const width = bits / 8
  const data = Buffer.alloc(frames * channels.length * width)
  channels.forEach((samples, channel) => {
    samples.forEach((sample, frame) => {
      write(data, (frame * channels.length + channel) * width, sample, coding, bits)
    })
  })
  const head = wavHeader(rate, channels.length, data.length)
  head.writeUInt16LE(coding.startsWith('float') ? 3 : 1, 20)
  head.writeUInt16LE(bits, 34)
  return Buffer.concat([head, data])
}

function write(data: Buffer, at: number, sample: number, coding: string, bits: number) {
  if (coding === 'float32') data.writeFloatLE(sample, at)
  else if (coding === 'float64') data.writeDoubleLE(sample, at)
  else if (bits === 8) data.writeUInt8(Math.round(sample * 127) + 128, at)
  else data.writeIntLE(Math.round(sample * (2 ** (bits - 1) - 1)), at, bits / 8)
}

/** The samples of a WAV file's first channel, and how many a second. */
export function readWav(bytes: Buffer): { rate: number; channels: number; samples: Float64Array } {
  const header = readWavHeader(bytes)
  if (header === null) throw new Error('No WAV file.')
  const read = sampleReader(header)
  const width = (header.bits / 8) * header.channels
  const data = bytes.subarray(header.dataOffset, header.dataOffset + header.dataBytes)
  const samples = Float64Array.from({ length: Math.floor(data.length / width) }, (_, i) =>
    read(data, i * width),
  )
  return { rate: header.rate, channels: header.channels, samples }
}

/** How strong a frequency is in a sound, as the amplitude of its sine (Goertzel's algorithm, edges left out). */
export function strength(samples: Float64Array, frequency: number, rate: number): number {
  const middle = samples.subarray(Math.floor(samples.length * 0.1), Math.ceil(samples.length * 0.9))
  let [real, imaginary] = [0, 0]
  middle.forEach((sample, i) => {
    real += sample * Math.cos((2 * Math.PI * frequency * i) / rate)
    imaginary += sample * Math.sin((2 * Math.PI * frequency * i) / rate)
  })
  return (2 * Math.hypot(real, imaginary)) / middle.length
}
