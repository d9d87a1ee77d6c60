import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { eventually } from './support/eventually.ts'

// The process itself: what ends its start, in which words, and what it prints.

const folder = mkdtempSync(join(tmpdir(), 'freeswitch-trunks-start-'))
const main = resolve(import.meta.dirname, '../src/main.ts')
afterAll(() => rmSync(folder, { recursive: true, force: true }))

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  server.close()
  await once(server, 'close')
  return typeof address === 'object' && address !== null ? address.port : 0
}

async function start(variables: Record<string, string>) {
  const ports = { PORT: String(await freePort()), SWITCH_PORT: String(await freePort()), HOST: '127.0.0.1' }
  const env = { ...process.env, EVENT_SOCKET: 'off', DATA_DIR: 'memory', ...ports, ...variables }
  const child = spawn(process.execPath, ['--import', import.meta.resolve('tsx'), main], { env })
  let output = ''
  for (const stream of [child.stdout, child.stderr])
    stream.on('data', (text) => {
      output += text
    })
  const ended = once(child, 'exit').then(([code]) => code as number | null)
  return {
    ...{ child, ended, ...ports },
    output: () => output,
    ready: () => eventually(() => expect(output).toContain('"Ready"'), 50_000),
  }
}

test.concurrent('on an empty database it prints the demo secrets, once, and a second server keeps off', async () => {
  const DATA_DIR = join(folder, 'data')
  const first = await start({ DATA_DIR })
  await first.ready()
  expect(first.output()).toMatch(/carrier API token {3}\S+\n[\s\S]*They are shown this once\./)

  const second = await start({ DATA_DIR })
  expect(await second.ended).toBe(1)
  expect(second.output()).toMatch(/DATA_DIR is wrong: .* is another running server's/)

  first.child.kill('SIGTERM')
  expect(await first.ended).toBe(0)
  const again = await start({ DATA_DIR })
  await again.ready()
  expect(again.output()).not.toContain('token')
  // One that was killed leaves its mark behind, which holds up nobody.
  again.child.kill('SIGKILL')
  await again.ended
  const other = await start({ DATA_DIR, ENCRYPTION_KEY: Buffer.alloc(32).toString('base64') })
  expect(await other.ended).toBe(1)
  expect(other.output()).toContain(
    'ENCRYPTION_KEY is wrong: it is not the key that this database was written',
  )
  const last = await start({ DATA_DIR })
  await last.ready()
  last.child.kill('SIGTERM')
  expect(await last.ended).toBe(0)
})

test.concurrent('what cannot be listened on, made or reached is named by its variable', async () => {
  const taken = createServer().listen(0, '127.0.0.1')
  await once(taken, 'listening')
  const address = taken.address()
  const PORT = String(typeof address === 'object' ? address?.port : 0)
  const file = join(folder, 'file')
  writeFileSync(file, '')
  const halfMade = join(folder, 'half-made')
  mkdirSync(halfMade)
  writeFileSync(join(halfMade, 'encryption-key'), '')
  const ENCRYPTION_KEY = Buffer.alloc(32).toString('base64')
  const DATABASE_URL = 'postgres://user:hush@127.0.0.1:1/none'
  for (const [variables, words] of [
    [{ PORT }, new RegExp(`PORT is wrong: 127\\.0\\.0\\.1:${PORT} is in use`)],
    [{ SWITCH_PORT: PORT }, new RegExp(`SWITCH_PORT is wrong: 127\\.0\\.0\\.1:${PORT} is in use`)],
    [{ HOST: '203.0.113.1' }, /HOST is wrong: 203\.0\.113\.1:\d+ is no address of this machine/],
    [{ DATA_DIR: file }, /DATA_DIR is wrong: .* cannot be made/],
    [{ DATA_DIR: '/proc/none/data' }, /DATA_DIR is wrong: .* cannot be made/],
    [{ DATA_DIR: halfMade }, /DATA_DIR is wrong: .*encryption-key does not hold 32 bytes/],
    [{ DATABASE_URL, ENCRYPTION_KEY }, /DATABASE_URL is wrong, or its database cannot be used now/],
  ] as const) {
    const { ended, output } = await start(variables)
    expect(await ended).toBe(1)
    expect(output()).toMatch(words)
    expect(output()).not.toContain('hush')
    expect(output().trim().split('\n'), 'nothing else was begun').toHaveLength(1)
  }
  taken.close()
})
