import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { lockFolder } from '../../src/db/lock.ts'

const top = mkdtempSync(join(tmpdir(), 'freeswitch-trunks-lock-'))
const children: ChildProcess[] = []
afterAll(() => {
  for (const child of children) child.kill('SIGKILL')
  rmSync(top, { recursive: true })
})
const newFolder = () => mkdtempSync(join(top, 'data-'))
const mark = (folder: string) => readFileSync(join(folder, 'server.pid'), 'utf8')

const holding = `import(${JSON.stringify(resolve(import.meta.dirname, '../../src/db/lock.ts'))})
  .then(({ lockFolder }) => lockFolder(process.argv[1]))
  .then((unlock) => console.log(unlock === null ? 'refused' : 'taken'))
  .then(() => setInterval(() => {}, 1000))`

/** Another process that takes the folder, and what it says of it. */
async function taker(folder: string, ...before: string[]) {
  const [command = '', ...args] = [
    ...[...before, process.execPath],
    ...['--import', import.meta.resolve('tsx'), '-e', holding, folder],
  ]
  const child = spawn(command, args)
  children.push(child)
  const [said] = await once(child.stdout, 'data')
  return { child, said: String(said).trim() }
}

test('a folder is one process’s until it is released', async () => {
  const folder = newFolder()
  const unlock = await lockFolder(folder)
  expect(unlock).not.toBeNull()
  expect(mark(folder)).toBe(`${process.pid}\n`)
  expect(await lockFolder(folder)).toBeNull()
  expect((await taker(folder)).said).toBe('refused')
  await unlock?.()
  expect(readdirSync(folder)).toEqual([])
  expect(await (await lockFolder(folder))?.()).toBeUndefined()
})

test('a number that is another program’s now holds up nobody', async () => {
  const folder = newFolder()
  const sleeper = spawn('sleep', ['300'])
  children.push(sleeper)
  for (const stale of [`${sleeper.pid}\n`, '', 'x\n']) {
    writeFileSync(join(folder, 'server.pid'), stale)
    const unlock = await lockFolder(folder)
    expect(unlock, JSON.stringify(stale)).not.toBeNull()
    await unlock?.()
  }
})

test('one that is stopped keeps its folder, one that is killed leaves it', async () => {
  const folder = newFolder()
  const { child, said } = await taker(folder)
  expect(said).toBe('taken')
  child.kill('SIGSTOP')
  expect(await lockFolder(folder)).toBeNull()
  child.kill('SIGKILL')
  await once(child, 'exit')
  const unlock = await lockFolder(folder)
  expect(unlock).not.toBeNull()
  expect(readdirSync(folder).length, 'nothing is left of the dead one').toBe(2)
  await unlock?.()
})

test('of many that find a dead one’s folder, one takes it', async () => {
  for (let round = 0; round < 8; round++) {
    const folder = newFolder()
    writeFileSync(join(folder, 'server.pid'), '1\n')
    writeFileSync(join(folder, 'server.0123456789abcdef.sock'), '')
    const taken = await Promise.all(Array.from({ length: 8 }, () => lockFolder(folder)))
    const unlocks = taken.filter((unlock) => unlock !== null)
    expect(unlocks).toHaveLength(1)
    await unlocks[0]?.()
    expect(readdirSync(folder)).toEqual([])
  }
})

test('where a socket cannot be named, the number of the process counts', async () => {
  const folder = join(newFolder(), 'x'.repeat(100))
  mkdirSync(folder)
  const unlock = await lockFolder(folder)
  expect(mark(folder)).toBe(`${process.pid}\n-\n`)
  expect((await taker(folder)).said).toBe('refused')
  await unlock?.()
  writeFileSync(join(folder, 'server.pid'), '999999999\n-\n')
  expect((await taker(folder)).said).toBe('taken')
})

// As two containers with one volume: both servers are process 1, and neither sees the other.
const apart = ['unshare', '--pid', '--fork', '--kill-child', '--mount-proc']
const canBeApart = spawnSync(apart[0] ?? '', [...apart.slice(1), 'true']).status === 0

test.skipIf(!canBeApart)(
  'process 1 of another container is refused, and takes over from a dead one',
  async () => {
    const folder = newFolder()
    const first = await taker(folder, ...apart)
    expect([first.said, mark(folder).split('\n')[0]]).toEqual(['taken', '1'])
    expect((await taker(folder, ...apart)).said).toBe('refused')
    first.child.kill('SIGKILL')
    await once(first.child, 'exit')
    await expect.poll(async () => (await taker(folder, ...apart)).said, { timeout: 20_000 }).toBe('taken')
  },
)
