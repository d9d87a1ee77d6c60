import { randomUUID } from 'node:crypto'
import { createReadStream, createWriteStream } from 'node:fs'
import { mkdir, open, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import type { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import type { Env } from '../env.ts'
import { folderFor } from './cache.ts'

/** In which a recording can be had. */
export type RecordingFormat = 'wav' | 'mp3'

/** Where the files of recordings are, by the recording's id (a UUID). */
export type RecordingStore = {
  /** Keeps a file, whole or not at all; one that is there already is replaced. */
  save(id: string, format: RecordingFormat, body: AsyncIterable<Uint8Array>): Promise<void>
  /** A file to read, which must be read or destroyed; null when there is none. */
  open(id: string, format: RecordingFormat): Promise<{ bytes: number; body: Readable } | null>
  /** Forgets a recording in all its formats. */
  remove(id: string): Promise<void>
}

/** The one kind of store there is: a folder under DATA_DIR. */
export function recordingStore(env: Pick<Env, 'DATA_DIR'>): RecordingStore {
  const folder = folderFor(env, 'recordings')
  const fileOf = (id: string, format: RecordingFormat) => join(folder, `${checked(id)}.${format}`)
  return {
    async save(id, format, body) {
      const file = fileOf(id, format)
      await mkdir(folder, { recursive: true })
      const unfinished = join(folder, `${randomUUID()}.part`)
      try {
        await pipeline(body, createWriteStream(unfinished, { mode: 0o600 }))
        await rename(unfinished, file)
      } finally {
        await rm(unfinished, { force: true })
      }
    },
    async open(id, format) {
      const handle = await open(fileOf(id, format)).catch(absent)
      if (handle === null) return null
      const { size } = await handle.stat()
      return { bytes: size, body: createReadStream('', { fd: handle }) }
    },
    async remove(id) {
      await rm(fileOf(id, 'wav'), { force: true })
      await rm(fileOf(id, 'mp3'), { force: true })
    },
  }
}

function checked(id: string): string {
  if (!/^[0-9a-f-]{36}$/.test(id)) throw new Error(`A recording's id is a UUID, not ${JSON.stringify(id)}.`)
  return id
}

function absent(error: NodeJS.ErrnoException): null {
  if (error.code === 'ENOENT') return null
  throw error
}
