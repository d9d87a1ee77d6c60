import { randomUUID } from 'node:crypto'
import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { buffer } from 'node:stream/consumers'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { decodeAudio } from '../../src/audio/decode.ts'
import { keepRecording } from '../../src/audio/recording.ts'
import { openRecording } from '../../src/audio/recording-file.ts'
import { type RecordingStore, recordingStore } from '../../src/audio/recording-store.ts'
import { readWav, sine, strength, wav } from './sounds.ts'

let folder: string
let store: RecordingStore
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'recordings-test-'))
  store = recordingStore({ DATA_DIR: folder })
})
afterAll(() => rm(folder, { recursive: true }))

const silence = (seconds: number) => new Float64Array(Math.round(8000 * seconds))
function sound(...parts: Float64Array[]): Float64Array {
  return Float64Array.from(parts.flatMap((part) => [...part]))
}
// As a request body comes: in pieces that cut samples in two.
async function* pieces(bytes: Buffer, size = 999) {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size)
}
async function read(id: string, format: 'wav' | 'mp3') {
  const opened = await openRecording(store, id, format)
  if (opened === null) return null
  const bytes = await buffer(opened.body)
  expect(bytes.length).toBe(opened.bytes)
  return bytes
}

describe('what is uploaded', () => {
  test('is kept as it is when it is not to be trimmed', async () => {
    const id = randomUUID()
    const upload = wav([sound(silence(1), sine(440, 8000, 2), silence(1))], 8000)
    expect(await keepRecording(store, id, pieces(upload), 'keep')).toEqual({
      seconds: 4,
      bytes: upload.length,
      channels: 1,
    })
    expect(await read(id, 'wav')).toEqual(upload)
  })

  test.each(['trim ends', 'trim all'] as const)(
    '%s: loses silence at both ends, not in the middle, with a little left for soft beginnings',
    async (rule) => {
      const id = randomUUID()
      const upload = wav(
        [sound(silence(3), sine(440, 8000, 1), silence(2), sine(440, 8000, 1), silence(4))],
        8000,
      )
      const kept = await keepRecording(store, id, pieces(upload), rule)
      const { samples } = readWav((await read(id, 'wav')) ?? Buffer.alloc(0))
      expect(samples.length / 8000).toBeCloseTo(4.4, 1)
      expect(kept).toEqual({ seconds: 4, bytes: 44 + samples.length * 2, channels: 1 })
      expect(strength(samples.subarray(2400, 8800), 440, 8000)).toBeGreaterThan(0.45)
    },
  )

  test('in two channels stays in two', async () => {
    const id = randomUUID()
    const upload = wav([sound(silence(1), sine(440, 8000, 1)), sound(sine(900, 8000, 1), silence(1))], 8000)
    expect(await keepRecording(store, id, pieces(upload), 'trim all')).toMatchObject({
      seconds: 2,
      channels: 2,
    })
    expect(readWav((await read(id, 'wav')) ?? Buffer.alloc(0)).channels).toBe(2)
  })

  const noise = sine(50, 8000, 5, 0.002)

  test('silence alone is kept whole, also where its ends are to be cut off', async () => {
    for (const rule of ['keep', 'trim ends'] as const) {
      const id = randomUUID()
      const upload = wav([noise], 8000)
      expect(await keepRecording(store, id, pieces(upload), rule)).toEqual({
        ...{ seconds: 5, bytes: upload.length, channels: 1 },
      })
      expect(await read(id, 'wav')).toEqual(upload)
    }
  })

  test.each([
    ['trim all', noise],
    ['trim all', silence(0)],
    ['trim ends', silence(0)],
    ['keep', silence(0)],
  ] as const)('nothing is left of what is nothing (%s)', async (rule, samples) => {
    const id = randomUUID()
    expect(await keepRecording(store, id, pieces(wav([samples], 8000)), rule)).toEqual({
      ...{ seconds: 0, bytes: 0, channels: 1 },
    })
    expect(await read(id, 'wav')).toBeNull()
    expect(await read(id, 'mp3')).toBeNull()
  })

  test('half a second is one second', async () => {
    expect(
      await keepRecording(store, randomUUID(), pieces(wav([sine(440, 8000, 0.3)], 8000)), 'trim all'),
    ).toMatchObject({ seconds: 1 })
  })

  test.each([
    ['nothing', Buffer.alloc(0)],
    ['text', Buffer.from('hello')],
    ['8-bit WAV', wav([sine(440, 8000, 1)], 8000, 'pcm8')],
    ['three channels', wav([sine(440, 8000, 1), silence(1), silence(1)], 8000)],
  ])('%s is refused', async (_, upload) => {
    expect(await keepRecording(store, randomUUID(), pieces(upload), 'trim all')).toEqual({
      problem: 'The recording is no WAV file of 16-bit samples.',
    })
  })

  test('an upload that breaks off leaves nothing behind', async () => {
    const before = (await readdir(join(folder, 'audio/recordings'))).length
    const breaking = async function* () {
      yield wav([sine(440, 8000, 1)], 8000)
      throw new Error('aborted')
    }
    await expect(keepRecording(store, randomUUID(), breaking(), 'keep')).rejects.toThrow('aborted')
    expect((await readdir(join(folder, 'audio/recordings'))).length).toBe(before)
  })
})

describe('what is read', () => {
  test('is MP3 of the same sound, made once for all who ask at once', async () => {
    const id = randomUUID()
    await keepRecording(store, id, pieces(wav([sine(440, 8000, 3)], 8000)), 'keep')
    const [mp3, again] = await Promise.all([read(id, 'mp3'), read(id, 'mp3')])
    expect(mp3).toEqual(again)
    let samples: number[] = []
    for await (const block of decodeAudio(mp3 ?? Buffer.alloc(0)) ?? [])
      samples = samples.concat([...block.samples])
    expect(samples.length / 8000).toBeCloseTo(3, 0)
    expect(strength(Float64Array.from(samples), 440, 8000)).toBeGreaterThan(0.4)
    expect((mp3?.length ?? 0) / 3).toBeLessThan(4500)
  })

  test('stereo MP3', async () => {
    const id = randomUUID()
    await keepRecording(store, id, pieces(wav([sine(440, 8000, 1), sine(900, 8000, 1)], 8000)), 'keep')
    expect(decodeAudio((await read(id, 'mp3')) ?? Buffer.alloc(0))).not.toBeNull()
  })

  test('is gone when it is removed, in every format', async () => {
    const id = randomUUID()
    await keepRecording(store, id, pieces(wav([sine(440, 8000, 1)], 8000)), 'keep')
    await read(id, 'mp3')
    await store.remove(id)
    expect(await read(id, 'wav')).toBeNull()
    expect(await read(id, 'mp3')).toBeNull()
    await store.remove(id)
  })

  test.each(['../x', '', 'a/b', `${'a'.repeat(36)}`.replace('a', '/')])('%s is no id', async (id) => {
    await expect(store.open(id, 'wav')).rejects.toThrow('UUID')
  })
})
