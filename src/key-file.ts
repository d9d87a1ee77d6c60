import { randomBytes } from 'node:crypto'
import { link, open, readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { tryAuthTokens } from './accounts/tokens.ts'
import type { Db } from './db/connect.ts'
import { readKey } from './env.ts'
import type { Keys } from './secrets.ts'
import { tryPasswords } from './trunks/queries.ts'

/** The key in a DATA_DIR, 32 bytes, made when there is none; `memory` has one that nobody keeps. Refuses a file that
 * holds anything else: an empty key would open nothing that a whole one has closed. */
export async function keyIn(dataDir: string): Promise<Buffer> {
  if (dataDir === 'memory') return randomBytes(32)
  const file = join(dataDir, 'encryption-key')
  const text = (await textOf(file)) ?? (await make(file))
  const key = readKey(text.trim())
  if (key === null) throw new Error(`DATA_DIR is wrong: ${file} does not hold 32 bytes in base64.`)
  return key
}

// One row that is damaged says nothing about the key.
const mostTried = 5

/** Whether what a database holds was encrypted with these keys; one that holds nothing encrypted takes any. */
export async function isKeyOf(db: Db, keys: Keys): Promise<boolean> {
  const tries = [...(await tryAuthTokens(db, keys, mostTried)), ...(await tryPasswords(db, keys, mostTried))]
  return tries.length === 0 || tries.includes(true)
}

const textOf = (file: string): Promise<string | null> =>
  readFile(file, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return null
    throw new Error(`DATA_DIR is wrong: ${file} cannot be read (${error.code}).`)
  })

// Written whole under another name first, so that a process that is killed leaves no half of it; linked, since that
// refuses a name that another process has taken meanwhile: its key counts then.
async function make(file: string): Promise<string> {
  const draft = `${file}.${randomBytes(8).toString('hex')}`
  try {
    await writeWhole(draft, `${randomBytes(32).toString('base64')}\n`)
    await link(draft, file).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== 'EEXIST') throw error
    })
    return await readFile(file, 'utf8')
  } catch (error) {
    throw new Error(`DATA_DIR is wrong: ${file} cannot be made (${(error as NodeJS.ErrnoException).code}).`)
  } finally {
    await rm(draft, { force: true })
  }
}

async function writeWhole(file: string, text: string): Promise<void> {
  const handle = await open(file, 'wx', 0o600)
  try {
    await handle.writeFile(text)
    await handle.sync()
  } finally {
    await handle.close()
  }
}
