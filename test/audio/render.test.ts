import { mkdtemp, readdir, readFile, rm, stat, utimes } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { keep, lookUp } from '../../src/audio/cache.ts'
import { download, freshSeconds } from '../../src/audio/download.ts'
import { type PromptSource, promptName, promptUrl } from '../../src/audio/prompt.ts'
import { prefetch, type Rendered, renderPrompt, speechProblem } from '../../src/audio/render.ts'
import { audioPrompts } from '../../src/db/schema.ts'
import type { Platform } from '../../src/platform.ts'
import { guardFor } from '../../src/webhooks/guard.ts'
import { createTestPlatform } from '../support/platform.ts'
import { startServer } from '../webhooks/server.ts'
import { readWav, sine, strength, wav } from './sounds.ts'

const speechProgram = `${process.execPath} ${join(import.meta.dirname, 'fake-speech.mjs')}`
let platform: Platform
let folder: string
let server: Awaited<ReturnType<typeof startServer>>
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'audio-test-'))
  platform = await createTestPlatform({ TTS_COMMAND: speechProgram, DATA_DIR: folder })
  server = await startServer(({ url }, response) => {
    if (url.startsWith('/stall')) return
    if (url.startsWith('/gone')) return void response.writeHead(404).end()
    response.setHeader('Cache-Control', 'max-age=60')
    response.end(url === '/page' ? '<html>' : wav([sine(600, 16000, 0.3)], 16000))
  })
})
afterAll(async () => {
  await server.close()
  await platform.database.close()
  await rm(folder, { recursive: true })
})
beforeEach(() => {
  server.requests.length = 0
})

const say = (text: string, language = 'en-US', voice: 'man' | 'woman' = 'woman'): PromptSource => ({
  kind: 'say',
  text,
  voice,
  language,
})
const play = (path: string): PromptSource => ({ kind: 'play', url: `${server.url}${path}` })
async function stored(source: PromptSource): Promise<string> {
  const id = promptName(platform.keys, source)
  await platform.db.insert(audioPrompts).values({ id, source }).onConflictDoNothing()
  return id
}
const ahead = { accountId: 'an account', urgent: false }
const render = async (source: PromptSource) => renderPrompt(platform, await stored(source))
function fileOf(rendered: Rendered) {
  if ('problem' in rendered) throw new Error(rendered.problem)
  return rendered.path
}

describe('names', () => {
  test('are of 32 hex digits, the same for the same source in any order of keys, and unguessable', () => {
    const name = promptName(platform.keys, say('Hello'))
    expect(name).toMatch(/^[0-9a-f]{32}$/)
    expect(promptName(platform.keys, { language: 'en-US', voice: 'woman', text: 'Hello', kind: 'say' })).toBe(
      name,
    )
    for (const other of [say('Hello.'), say('Hello', 'en-GB'), say('Hello', 'en-US', 'man'), play('/Hello')])
      expect(promptName(platform.keys, other)).not.toBe(name)
    const otherKeys = { ...platform.keys, naming: Buffer.alloc(32) }
    expect(promptName(otherKeys, say('Hello'))).not.toBe(name)
    expect(promptUrl(platform, say('Hello'))).toBe(`${platform.env.SWITCH_URL}/freeswitch/audio/${name}.wav`)
  })
})

describe('Say', () => {
  test('is spoken into telephone WAV, once', async () => {
    const first = await render(say('Welcome.'))
    const { rate, channels, samples } = readWav(await readFile(fileOf(first)))
    expect([rate, channels]).toEqual([8000, 1])
    expect(samples.length / 8000).toBeCloseTo(0.8, 2)
    expect(strength(samples, 440, 8000)).toBeCloseTo(8000 / 32768, 2)
    const before = await stat(fileOf(first))
    const second = await render(say('Welcome.'))
    expect(second).toEqual({ path: fileOf(first), maxAgeSeconds: 3600, outdated: null })
    expect((await stat(fileOf(second))).ino).toBe(before.ino)
  })

  test('the program gets the text on its standard input, voices of our list, and no secret', async () => {
    const { speak } = await import('../../src/audio/speech.ts')
    const text = '-f /etc/passwd "$(id)" `id` \\ é 漢'
    process.env.ENCRYPTION_KEY = 'secret'
    const spoken = await speak(platform.env, text, { voice: 'man', language: 'en-GB' })
    delete process.env.ENCRYPTION_KEY
    const told = JSON.parse(
      /\{.*\}/.exec('wav' in spoken ? spoken.wav.toString('utf8', 44, 600) : '')?.[0] ?? '',
    )
    expect(told).toEqual({ arguments: ['-v', 'en-gb+m3', '-b', '1', '--stdin', '--stdout'], text, key: null })
  })

  test.each([
    ['fail', /^The speech program \S+ ended with 3\.$/],
    ['nothing', /^The speech program \S+ wrote nothing\.$/],
    ['garbage', /^What the speech program wrote is neither WAV nor MP3\.$/],
  ])('%s', async (text, problem) => {
    expect(await render(say(text))).toEqual({ problem: expect.stringMatching(problem), busy: false })
  })

  test('a program that is not there is named', async () => {
    const env = { ...platform.env, TTS_COMMAND: 'no-such-program -x' }
    expect(await speechProblem(env)).toBe('The speech program no-such-program cannot be run (ENOENT).')
    expect(await speechProblem(platform.env)).toBeNull()
  })
})

describe('Play', () => {
  test('is downloaded and converted', async () => {
    const rendered = await render(play('/a.wav'))
    const { samples } = readWav(await readFile(fileOf(rendered)))
    expect(samples.length / 8000).toBeCloseTo(0.3, 2)
    expect(strength(samples, 600, 8000)).toBeCloseTo(0.5, 2)
    expect(server.requests[0]).toMatchObject({ method: 'GET', url: '/a.wav' })
    expect('problem' in rendered ? 0 : rendered.maxAgeSeconds).toBeGreaterThan(55)
    await render(play('/a.wav'))
    expect(server.requests).toHaveLength(1)
  })

  test('is downloaded again when it is no longer fresh; what was heard before serves when that fails', async () => {
    const source = play('/gone-later.wav')
    const path = join(folder, 'audio/prompts', `${promptName(platform.keys, source)}.wav`)
    const fresh = await render(play('/b.wav'))
    const cache = { folder: join(folder, 'audio/prompts'), mostBytes: 1e9 }
    await keep(
      cache,
      promptName(platform.keys, source),
      await readFile(fileOf(fresh)),
      new Date(Date.now() - 1000),
    )
    const problem = `${server.url}/gone-later.wav answered 404.`
    // Made ready by the part, then asked for by FreeSWITCH while the failure is still known.
    expect(await prefetch(platform, ahead, [source])).toEqual([
      { source, problem, heard: 'as before', tried: true },
    ])
    expect(await render(source)).toEqual({ path, maxAgeSeconds: 0, outdated: problem })
    expect(server.requests.map(({ url }) => url)).toEqual(['/b.wav', '/gone-later.wav'])
    await utimes(fileOf(fresh), new Date(), new Date(Date.now() - 1000))
    await render(play('/b.wav'))
    expect(server.requests).toHaveLength(3)
  })

  test.each([
    ['/gone', 'answered 404.'],
    ['/page', 'is neither WAV nor MP3.'],
  ])('%s', async (path, problem) => {
    const told = { problem: `${server.url}${path} ${problem}`, busy: false }
    expect(await render(play(path))).toEqual(told)
    expect(await render(play(path))).toEqual(told)
    expect(server.requests).toHaveLength(1)
  })

  test('private addresses are not asked', async () => {
    const url = `${server.url}/a.wav`
    expect(await download(guardFor({ WEBHOOK_ALLOW_PRIVATE: false }), url)).toEqual({
      problem: 'was not asked: 127.0.0.1 is not a public address',
    })
    expect(server.requests).toHaveLength(0)
  })

  test.each([
    [undefined, 300],
    ['no-store', 10],
    ['public, max-age=3600', 3600],
    ['max-age=0', 10],
    ['max-age=999999999', 86_400],
    ['private', 300],
  ])('Cache-Control %s is good for %i s', (header, seconds) => {
    expect(freshSeconds(header)).toBe(seconds)
  })
})

describe('all prompts', () => {
  test.each(['0'.repeat(32), 'x', '../../etc/passwd', ''])('%s is no prompt', async (id) => {
    const none = { problem: 'There is no such prompt.', busy: false }
    expect(await renderPrompt(platform, id)).toEqual(none)
  })

  test('asked for at once from many sides they are made once', async () => {
    const id = await stored(play('/once.wav'))
    const rendered = await Promise.all(Array.from({ length: 20 }, () => renderPrompt(platform, id)))
    expect(new Set(rendered.map(fileOf)).size).toBe(1)
    expect(server.requests).toHaveLength(1)
  })

  test('made ready ahead, without a stored source, with word of what cannot be made', async () => {
    const [good, bad] = [play('/ahead.wav'), play('/gone-ahead')]
    expect(await prefetch(platform, ahead, [good, bad, good])).toEqual([
      { source: bad, problem: `${server.url}/gone-ahead answered 404.`, heard: 'nothing', tried: true },
    ])
    expect(server.requests.map(({ url }) => url).sort()).toEqual(['/ahead.wav', '/gone-ahead'])
    expect(await renderPrompt(platform, promptName(platform.keys, good))).toMatchObject({
      maxAgeSeconds: expect.any(Number),
    })
  })

  test('one account’s long documents hold up nobody else, and what a call waits for goes first', async () => {
    const done: string[] = []
    const made = async (accountId: string, text: string, urgent = false) => {
      await prefetch(platform, { accountId, urgent }, [say(text)])
      done.push(text)
    }
    const long = ['slow 1', 'slow 2', 'slow 3', 'slow 4', 'slow 5'].map((text) => made('long', text))
    const waited = render(say('slow 5'))
    await made('other', 'Short')
    expect(done).toEqual(['Short'])
    // FreeSWITCH asks for the last of them.
    expect(fileOf(await waited)).toMatch(/\.wav$/)
    await Promise.all(long)
    expect(done.slice(1, 3).sort()).toEqual(['slow 1', 'slow 2'])
    expect(done.slice(3, 5)).toContain('slow 5')
  }, 30_000)

  test('a host that stalls holds up its own files only', async () => {
    const other = await startServer(
      (_, response) => response.end(wav([sine(600, 8000, 0.1)], 8000)),
      '127.0.0.2',
    )
    const stalled = prefetch(
      platform,
      { ...ahead, urgent: true },
      Array.from({ length: 20 }, (_, n) => play(`/stall/${n}`)),
    )
    expect(fileOf(await render(say('Meanwhile')))).toMatch(/\.wav$/)
    expect(fileOf(await render({ kind: 'play', url: `${other.url}/x.wav` }))).toMatch(/\.wav$/)
    expect(server.requests.length).toBeLessThanOrEqual(4)
    await Promise.all([server.close(), other.close()])
    expect(await stalled).toHaveLength(20)
  })
})

test('the cache forgets what was not heard for longest, and never hands out half a file', async () => {
  const cache = { folder: join(folder, 'small'), mostBytes: 10_000 }
  const later = new Date(Date.now() + 60_000)
  for (let n = 0; n < 9; n++) {
    await keep(cache, `${n}`, Buffer.alloc(1000), later)
    await utimes(join(cache.folder, `${n}.wav`), new Date(1_000_000 + n * 1000), later)
  }
  expect(await lookUp(cache, '0')).not.toBeNull()
  await keep(cache, 'new', Buffer.alloc(2500), later)
  const left = (await readdir(cache.folder)).sort()
  expect(left).toEqual(['0.wav', '4.wav', '5.wav', '6.wav', '7.wav', '8.wav', 'new.wav'])
  expect(await lookUp(cache, '1')).toBeNull()
})
