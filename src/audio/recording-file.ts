import { setImmediate as nextTurn } from 'node:timers/promises'
import { createMp3Encoder } from 'wasm-media-encoders'
import { limited } from './limit.ts'
import type { RecordingFormat, RecordingStore } from './recording-store.ts'
import { readWavHeader } from './wav.ts'

/** A kept recording in the format asked for, null when there is none. MP3 is made when it is first asked for. */
export async function openRecording(store: RecordingStore, id: string, format: RecordingFormat) {
  if (format === 'wav') return store.open(id, 'wav')
  const made = await store.open(id, 'mp3')
  if (made !== null) return made
  await limited(`mp3 ${id}`, ofOne, () => limited('mp3', encoders, () => makeMp3(store, id)))
  return store.open(id, 'mp3')
}

const ofOne = { most: 1, patienceMs: 120_000 }
const encoders = { most: 2, patienceMs: 120_000 }

async function makeMp3(store: RecordingStore, id: string): Promise<void> {
  const [made, wav] = [await store.open(id, 'mp3'), await store.open(id, 'wav')]
  made?.body.destroy()
  if (wav === null) return
  if (made === null) await store.save(id, 'mp3', encodeMp3(wav.body))
  else wav.body.destroy()
}

/** WAV as this project writes it (44 bytes, 16-bit samples) to MP3, 32 kbit/s a channel; in small parts, so that calls
 * are served between them. */
export async function* encodeMp3(wav: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  const encoder = await createMp3Encoder()
  let channels = 0
  let held: Buffer = Buffer.alloc(0)
  for await (const part of wav) {
    held = Buffer.concat([held, part])
    if (channels === 0) {
      const header = readWavHeader(held)
      if (header === null) continue
      channels = header.channels
      encoder.configure({
        sampleRate: header.rate,
        channels: channels === 1 ? 1 : 2,
        bitrate: channels === 1 ? 32 : 64,
      })
      held = held.subarray(header.dataOffset)
    }
    const frames = Math.floor(held.length / (channels * 2))
    // The encoder's own memory is handed out: it holds only until the next call.
    yield Buffer.from(encoder.encode(split(held, frames, channels)))
    held = held.subarray(frames * channels * 2)
    await nextTurn()
  }
  if (channels > 0) yield Buffer.from(encoder.finalize())
}

function split(bytes: Buffer, frames: number, channels: number): Float32Array[] {
  return Array.from({ length: channels }, (_, channel) =>
    Float32Array.from({ length: frames }, (_, i) => bytes.readInt16LE((i * channels + channel) * 2) / 32768),
  )
}
