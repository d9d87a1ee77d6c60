import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { keyIn } from '../src/key-file.ts'

const top = mkdtempSync(join(tmpdir(), 'freeswitch-trunks-key-'))
afterAll(() => rmSync(top, { recursive: true }))
const newFolder = () => mkdtempSync(join(top, 'data-'))

test('processes that start at one moment end with one key, which stays, and leave nothing else behind', async () => {
  const folder = newFolder()
  const keys = await Promise.all(Array.from({ length: 20 }, () => keyIn(folder)))
  for (const key of keys) expect(key).toHaveLength(32)
  expect(new Set(keys.map((key) => key.toString('hex'))).size).toBe(1)
  expect(await keyIn(folder)).toEqual(keys[0])
  expect(readdirSync(folder)).toEqual(['encryption-key'])
  expect(statSync(join(folder, 'encryption-key')).mode & 0o777).toBe(0o600)
})

test.each([
  ['nothing', ''],
  ['a line end', '\n'],
  ['a part of a key', Buffer.alloc(32, 7).toString('base64').slice(0, 30)],
  ['31 bytes', Buffer.alloc(31, 7).toString('base64')],
  ['33 bytes', Buffer.alloc(33, 7).toString('base64')],
  ['two keys', `${Buffer.alloc(32, 7).toString('base64')}\n`.repeat(2)],
])('a file with %s is refused and kept', async (_, text) => {
  const folder = newFolder()
  const file = join(folder, 'encryption-key')
  writeFileSync(file, text)
  await expect(keyIn(folder)).rejects.toThrow(`DATA_DIR is wrong: ${file} does not hold 32 bytes in base64.`)
  expect(readFileSync(file, 'utf8')).toBe(text)
})

test('a folder that takes no file is named, and memory keeps nothing', async () => {
  await expect(keyIn(join(top, 'none'))).rejects.toThrow(
    /^DATA_DIR is wrong: .*encryption-key cannot be made/,
  )
  expect(await keyIn('memory')).not.toEqual(await keyIn('memory'))
})
