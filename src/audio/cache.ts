import { randomUUID } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { mkdir, readdir, rename, rm, stat, utimes, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Env } from '../env.ts'

/** A folder of prompts, kept below a size by forgetting what was not heard for long, the larger the sooner. A file's access
 * time is when it was last used, its modification time is until when it is fresh. */
export type Cache = { folder: string; mostBytes: number }

/** The cache of this installation: under DATA_DIR, shared by all processes there. */
export const cacheFor = (env: Pick<Env, 'DATA_DIR'>): Cache => ({
  folder: folderFor(env, 'prompts'),
  mostBytes: 2 ** 30,
})

/** Where files of a kind lie; with DATA_DIR=memory in a folder of this process's own that goes with it. */
export const folderFor = ({ DATA_DIR }: Pick<Env, 'DATA_DIR'>, kind: 'prompts' | 'recordings'): string =>
  DATA_DIR === 'memory' ? join(passingFolder(), kind) : join(DATA_DIR, 'audio', kind)

let passing: string | null = null

function passingFolder(): string {
  if (passing !== null) return passing
  const folder = mkdtempSync(join(tmpdir(), 'freeswitch-trunks-'))
  process.once('exit', () => rmSync(folder, { recursive: true, force: true }))
  passing = folder
  return folder
}

/** A prompt's file when there is one, and until when it is fresh. */
export type Cached = { path: string; freshUntil: Date }

/** Looks a prompt up and notes that it was used. */
export async function lookUp(cache: Cache, id: string): Promise<Cached | null> {
  const path = fileOf(cache, id)
  try {
    const { mtime } = await stat(path)
    await utimes(path, new Date(), mtime)
    return { path, freshUntil: mtime }
  } catch {
    return null
  }
}

/** Puts a prompt's file in its place, whole or not at all. */
export async function keep(cache: Cache, id: string, bytes: Buffer, freshUntil: Date): Promise<Cached> {
  const path = fileOf(cache, id)
  await mkdir(cache.folder, { recursive: true })
  const unfinished = join(cache.folder, `${randomUUID()}.part`)
  await writeFile(unfinished, bytes)
  await utimes(unfinished, new Date(), freshUntil)
  await rename(unfinished, path)
  await forgetUnused(cache, bytes.length)
  return { path, freshUntil }
}

const fileOf = ({ folder }: Cache, id: string) => join(folder, `${id}.wav`)

// Gone through only when this process has added a twentieth of the size, and then down to nine tenths: it reads the
// whole folder. Parts that a dead process left count like the rest, and go first since nobody uses them.
async function forgetUnused({ folder, mostBytes }: Cache, added: number): Promise<void> {
  const unmeasured = (addedTo.get(folder) ?? 0) + added
  addedTo.set(folder, unmeasured < mostBytes / 20 ? unmeasured : 0)
  if (unmeasured < mostBytes / 20) return
  const files = await Promise.all((await readdir(folder)).map((name) => measure(join(folder, name))))
  let bytes = files.reduce((sum, file) => sum + file.bytes, 0)
  if (bytes <= mostBytes) return
  // By how long it was not heard times its size: somebody's few huge files do not drive out everybody's small ones.
  const newest = files.reduce((latest, { usedAt }) => Math.max(latest, usedAt), 0)
  const cost = (file: (typeof files)[number]) => (newest - file.usedAt) * file.bytes
  for (const file of files.sort((a, b) => cost(b) - cost(a))) {
    if (bytes <= mostBytes * 0.9) return
    await rm(file.path, { force: true })
    bytes -= file.bytes
  }
}

const addedTo = new Map<string, number>()

async function measure(path: string) {
  const found = await stat(path).catch(() => null)
  return { path, bytes: found?.size ?? 0, usedAt: found?.atimeMs ?? 0 }
}
