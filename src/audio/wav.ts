/** What the head of a WAV file says: how its samples are written, and where they lie. */
export type WavHeader = {
  coding: 'pcm' | 'float' | 'a-law' | 'mu-law'
  bits: number
  channels: number
  rate: number
  dataOffset: number
  /** May be 0 or more than there is: who writes to a pipe does not know it (espeak-ng). */
  dataBytes: number
}

/** Reads the head of a WAV file (RIFF, and RF64 as far as it is the same), null when it is none that can be read. */
export function readWavHeader(bytes: Buffer): WavHeader | null {
  if (bytes.length < 12 || !/^(RIFF|RF64)$/.test(tagAt(bytes, 0)) || tagAt(bytes, 8) !== 'WAVE') return null
  let format: Omit<WavHeader, 'dataOffset' | 'dataBytes'> | null = null
  for (let at = 12; at + 8 <= bytes.length; ) {
    const size = bytes.readUInt32LE(at + 4)
    if (tagAt(bytes, at) === 'fmt ') format = readFormat(bytes.subarray(at + 8, at + 8 + size))
    if (tagAt(bytes, at) === 'data') return format && { ...format, dataOffset: at + 8, dataBytes: size }
    at += 8 + size + (size % 2)
  }
  return null
}

const tagAt = (bytes: Buffer, at: number) => bytes.toString('latin1', at, at + 4)

function readFormat(chunk: Buffer): Omit<WavHeader, 'dataOffset' | 'dataBytes'> | null {
  if (chunk.length < 16) return null
  const written = chunk.readUInt16LE(0)
  // An extensible format says what it is in the first two bytes of its sub-format.
  const code = written === 0xfffe && chunk.length >= 26 ? chunk.readUInt16LE(24) : written
  const coding = codings[code]
  const channels = chunk.readUInt16LE(2)
  const rate = chunk.readUInt32LE(4)
  const bits = chunk.readUInt16LE(14)
  if (coding === undefined || !bitsOf[coding].includes(bits)) return null
  if (channels < 1 || channels > 8 || rate < 4000 || rate > 192_000) return null
  return { coding, bits, channels, rate }
}

const codings: Readonly<Record<number, WavHeader['coding']>> = {
  1: 'pcm',
  3: 'float',
  6: 'a-law',
  7: 'mu-law',
}
const bitsOf = { pcm: [8, 16, 24, 32], float: [32, 64], 'a-law': [8], 'mu-law': [8] }

/** Gives the function that reads one sample, from -1 to 1, at an offset of the file's data. */
export function sampleReader({ coding, bits }: WavHeader): (data: Buffer, offset: number) => number {
  if (coding === 'float')
    return bits === 32 ? (data, at) => data.readFloatLE(at) : (data, at) => data.readDoubleLE(at)
  if (coding === 'a-law') return (data, at) => aLaw(data.readUInt8(at)) / 32768
  if (coding === 'mu-law') return (data, at) => muLaw(data.readUInt8(at)) / 32768
  if (bits === 8) return (data, at) => (data.readUInt8(at) - 128) / 128
  const whole = 2 ** (bits - 1)
  return (data, at) => data.readIntLE(at, bits / 8) / whole
}

// ITU-T G.711.
function aLaw(byte: number): number {
  const code = byte ^ 0x55
  const [exponent, mantissa] = [(code & 0x70) >> 4, code & 0x0f]
  const value = exponent === 0 ? (mantissa << 4) + 8 : ((mantissa << 4) + 0x108) << (exponent - 1)
  return code & 0x80 ? value : -value
}

function muLaw(byte: number): number {
  const code = ~byte & 0xff
  const value = ((((code & 0x0f) << 3) + 0x84) << ((code & 0x70) >> 4)) - 0x84
  return code & 0x80 ? -value : value
}

/** The 44 bytes that stand before 16-bit samples. */
export function wavHeader(rate: number, channels: number, dataBytes: number): Buffer {
  const head = Buffer.alloc(44)
  head.write('RIFF', 0, 'latin1')
  head.writeUInt32LE(36 + dataBytes, 4)
  head.write('WAVEfmt ', 8, 'latin1')
  head.writeUInt32LE(16, 16)
  head.writeUInt16LE(1, 20)
  head.writeUInt16LE(channels, 22)
  head.writeUInt32LE(rate, 24)
  head.writeUInt32LE(rate * channels * 2, 28)
  head.writeUInt16LE(channels * 2, 32)
  head.writeUInt16LE(16, 34)
  head.write('data', 36, 'latin1')
  head.writeUInt32LE(dataBytes, 40)
  return head
}
