import { randomUUID } from 'node:crypto'
import { createReadStream, createWriteStream } from 'node:fs'
import { open, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { createListener, type LoudPart } from './loudness.ts'
import type { RecordingStore } from './recording-store.ts'
import { readWavHeader, type WavHeader, wavHeader } from './wav.ts'

/** What was kept: whole seconds (0: nothing was recorded, and no file is kept), size, channels. */
export type KeptRecording = { seconds: number; bytes: number; channels: number }

/** What becomes of silence: it is kept; cut off at both ends, but a recording of nothing else stays whole; or cut off, and
 * one of nothing else is no recording. */
export type SilenceRule = 'keep' | 'trim ends' | 'trim all'

/** Keeps a WAV file as FreeSWITCH uploads it, but for its silence where that is the rule; or says what is wrong with it. */
export async function keepRecording(
  store: RecordingStore,
  id: string,
  upload: AsyncIterable<Uint8Array>,
  rule: SilenceRule,
): Promise<KeptRecording | { problem: string }> {
  const file = join(tmpdir(), `${randomUUID()}.upload`)
  try {
    if (!(await spool(upload, file))) return { problem: `The recording is larger than ${mostBytes} bytes.` }
    const header = await readHeader(file)
    if (header === null) return { problem: 'The recording is no WAV file of 16-bit samples.' }
    const { frames, loud } = await listen(file, header)
    if (frames === 0 || (loud === null && rule === 'trim all'))
      return { seconds: 0, bytes: 0, channels: header.channels }
    const part =
      loud === null || rule === 'keep' ? { from: 0, to: frames } : withMargin(loud, frames, header.rate)
    await store.save(id, 'wav', cut(file, header, part))
    const seconds = Math.max(1, Math.round((part.to - part.from) / header.rate))
    return { seconds, bytes: 44 + (part.to - part.from) * header.channels * 2, channels: header.channels }
  } finally {
    await rm(file, { force: true })
  }
}

/** Four hours, the longest that Record and Dial allow, in two channels. */
const mostBytes = 480 * 1024 * 1024
const marginSeconds = 0.2

async function spool(upload: AsyncIterable<Uint8Array>, file: string): Promise<boolean> {
  let bytes = 0
  const bounded = async function* () {
    for await (const part of upload) {
      bytes += part.length
      if (bytes > mostBytes) return
      yield part
    }
  }
  await pipeline(bounded, createWriteStream(file, { mode: 0o600 }))
  return bytes <= mostBytes
}

async function readHeader(file: string): Promise<WavHeader | null> {
  const handle = await open(file)
  try {
    const { buffer, bytesRead } = await handle.read(Buffer.alloc(4096), 0, 4096, 0)
    const header = readWavHeader(buffer.subarray(0, bytesRead))
    return header?.coding === 'pcm' && header.bits === 16 && header.channels <= 2 ? header : null
  } finally {
    await handle.close()
  }
}

async function listen(file: string, { dataOffset, dataBytes, rate, channels }: WavHeader) {
  const listener = createListener(rate, channels)
  const end = dataBytes === 0 ? Number.POSITIVE_INFINITY : dataOffset + dataBytes - 1
  let samples = 0
  let odd: Buffer = Buffer.alloc(0)
  for await (const read of createReadStream(file, { start: dataOffset, end }) as AsyncIterable<Buffer>) {
    const bytes = Buffer.concat([odd, read])
    const whole = bytes.length >> 1
    odd = bytes.subarray(whole * 2)
    listener.hear(Int16Array.from({ length: whole }, (_, i) => bytes.readInt16LE(i * 2)))
    samples += whole
  }
  return { frames: Math.floor(samples / channels), loud: listener.end() }
}

// The beginning and the end of a word are soft.
function withMargin({ from, to }: LoudPart, frames: number, rate: number): LoudPart {
  const margin = Math.round(marginSeconds * rate)
  return { from: Math.max(0, from - margin), to: Math.min(frames, to + margin) }
}

async function* cut(file: string, { dataOffset, rate, channels }: WavHeader, { from, to }: LoudPart) {
  const width = channels * 2
  yield wavHeader(rate, channels, (to - from) * width)
  if (to > from)
    yield* createReadStream(file, { start: dataOffset + from * width, end: dataOffset + to * width - 1 })
}
