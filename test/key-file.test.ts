import { spawnSync } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { insertAccount, insertCarrier } from '../src/accounts/queries.ts'
import { accounts } from '../src/db/schema.ts'
import { isKeyOf, keyIn } from '../src/key-file.ts'
import { deriveKeys } from '../src/secrets.ts'
import { createTestPlatform } from './support/platform.ts'
import { createTrunk } from './support/rows.ts'

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

test('a process that cannot write its key whole leaves none of it', () => {
  const folder = newFolder()
  const call = `import(${JSON.stringify(resolve(import.meta.dirname, '../src/key-file.ts'))})
    .then(({ keyIn }) => keyIn(${JSON.stringify(folder)}))
    .catch(({ message }) => console.log(message))`
  // No file may grow: the same as a full disk, or a kill before the write.
  const command = ['-c', 'ulimit -f 0; exec "$@"', 'sh', process.execPath]
  const { stdout } = spawnSync('sh', [...command, '--import', import.meta.resolve('tsx'), '-e', call])
  expect(String(stdout)).toMatch(/^DATA_DIR is wrong: .*encryption-key cannot be made \(EFBIG\)\.\n$/)
  expect(readdirSync(folder)).toEqual([])
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

test('another key is noticed by trunks as by accounts, and a damaged row is not taken for one', async () => {
  const platform = await createTestPlatform()
  const { db, keys } = platform
  const other = deriveKeys(Buffer.alloc(32, 1))
  expect(await isKeyOf(db, other), 'nothing is encrypted yet').toBe(true)
  const carrier = await insertCarrier(db, { name: 'Carrier', countryCode: 'US', billingCurrency: 'USD' })
  await createTrunk(platform, { carrier }, { authenticationMode: 'client_credentials' })
  expect(await isKeyOf(db, keys)).toBe(true)
  expect(await isKeyOf(db, other)).toBe(false)
  await insertAccount(db, keys, { carrierId: carrier.id, name: 'Account' })
  expect(await isKeyOf(db, other)).toBe(false)
  await db.update(accounts).set({ authTokenEncrypted: Buffer.alloc(40) })
  expect(await isKeyOf(db, keys)).toBe(true)
  await platform.database.close()
})
