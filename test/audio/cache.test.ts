import { mkdtemp, readdir, rm, stat, utimes, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { keep, lookUp } from '../../src/audio/cache.ts'

let root: string
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'cache-test-'))
})
afterAll(() => rm(root, { recursive: true }))

const later = new Date(Date.now() + 60_000)
const mostBytes = 100_000

async function bytesIn(folder: string): Promise<number> {
  const sizes = await Promise.all((await readdir(folder)).map(async (name) => stat(join(folder, name))))
  return sizes.reduce((sum, { size }) => sum + size, 0)
}

test('the folder never holds more than a twentieth above its size, whatever is kept, and always the newest', async () => {
  let run = 0
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.tuple(fc.nat(40), fc.integer({ min: 1, max: 20_000 })), { minLength: 30, maxLength: 60 }),
      async (prompts) => {
        const cache = { folder: join(root, String(++run)), mostBytes }
        for (const [id, size] of prompts) {
          await keep(cache, `${id}`, Buffer.alloc(size), later)
          expect(await bytesIn(cache.folder)).toBeLessThanOrEqual(mostBytes * 1.05)
          expect(await lookUp(cache, `${id}`)).not.toBeNull()
        }
      },
    ),
    { numRuns: 15 },
  )
}, 60_000)

test('what a process that died left half written goes with the rest', async () => {
  const cache = { folder: join(root, 'left'), mostBytes }
  await keep(cache, 'first', Buffer.alloc(1000), later)
  for (let n = 0; n < 10; n++) await writeFile(join(cache.folder, `${n}.part`), Buffer.alloc(20_000))
  await keep(cache, 'last', Buffer.alloc(20_000), later)
  expect(await bytesIn(cache.folder)).toBeLessThanOrEqual(mostBytes)
  expect(await lookUp(cache, 'last')).not.toBeNull()
})

test('a few huge files that are heard now and then do not drive out many small ones', async () => {
  const cache = { folder: join(root, 'huge'), mostBytes }
  const usedBefore = async (id: string, bytes: number, seconds: number) => {
    await keep(cache, id, Buffer.alloc(bytes), later)
    await utimes(join(cache.folder, `${id}.wav`), new Date(Date.now() - seconds * 1000), later)
  }
  for (let n = 0; n < 20; n++) await usedBefore(`small${n}`, 500, 600)
  for (let n = 0; n < 12; n++) await usedBefore(`huge${n}`, 15_000, 60 - n)
  const left = await readdir(cache.folder)
  expect(left.filter((name) => name.startsWith('small'))).toHaveLength(20)
  expect(await bytesIn(cache.folder)).toBeLessThanOrEqual(mostBytes * 1.05)
})
