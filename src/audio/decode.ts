import { MPEGDecoder } from 'mpg123-decoder'
import { readWavHeader, sampleReader, type WavHeader } from './wav.ts'

/** Part of a sound: one channel, samples from -1 to 1, so many a second. */
export type Block = { rate: number; samples: Float32Array<ArrayBufferLike> }

/** The sound of a WAV or MP3 file, all channels mixed into one, block by block; null when it is neither. */
export function decodeAudio(bytes: Buffer): AsyncIterable<Block> | null {
  const header = readWavHeader(bytes)
  if (header !== null) return decodeWav(bytes, header)
  return looksLikeMp3(bytes) ? decodeMp3(bytes) : null
}

const framesAtOnce = 16_384

async function* decodeWav(bytes: Buffer, header: WavHeader): AsyncGenerator<Block> {
  const { channels, rate, dataOffset, dataBytes } = header
  const width = header.bits / 8
  const data = bytes.subarray(dataOffset, dataBytes === 0 ? bytes.length : dataOffset + dataBytes)
  const frames = Math.floor(data.length / (width * channels))
  const read = sampleReader(header)
  for (let first = 0; first < frames; first += framesAtOnce) {
    const samples = new Float32Array(Math.min(framesAtOnce, frames - first))
    for (let frame = 0; frame < samples.length; frame++) {
      let sum = 0
      for (let channel = 0; channel < channels; channel++)
        sum += read(data, ((first + frame) * channels + channel) * width)
      // A file of floats may hold what is no number.
      samples[frame] = Number.isFinite(sum) ? sum / channels : 0
    }
    yield { rate, samples }
  }
}

// An ID3 tag, or the eleven bits set that begin each frame, of a layer that there is.
function looksLikeMp3(bytes: Buffer): boolean {
  if (bytes.length < 4) return false
  if (bytes.toString('latin1', 0, 3) === 'ID3') return true
  return bytes.readUInt8(0) === 0xff && (bytes.readUInt8(1) & 0xe6) > 0xe0
}

const bytesAtOnce = 8192

async function* decodeMp3(bytes: Buffer): AsyncGenerator<Block> {
  const decoder = new MPEGDecoder()
  await decoder.ready
  try {
    for (let at = 0; at < bytes.length; at += bytesAtOnce) {
      const { channelData, sampleRate, samplesDecoded } = decoder.decode(bytes.subarray(at, at + bytesAtOnce))
      if (samplesDecoded > 0) yield { rate: sampleRate, samples: mix(channelData, samplesDecoded) }
    }
  } finally {
    decoder.free()
  }
}

function mix(channels: readonly Float32Array[], length: number): Float32Array {
  const mixed = new Float32Array(length)
  for (const channel of channels)
    for (let i = 0; i < length; i++) mixed[i] = (mixed[i] ?? 0) + (channel[i] ?? 0) / channels.length
  return mixed
}
