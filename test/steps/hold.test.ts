import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { eq } from 'drizzle-orm'
import type { Hono } from 'hono'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { createApp } from '../../src/app.ts'
import { cacheFor, keep } from '../../src/audio/cache.ts'
import { promptName } from '../../src/audio/prompt.ts'
import { audioPrompts, errorLogs, phoneCalls } from '../../src/db/schema.ts'
import type { Platform } from '../../src/platform.ts'
import { holdIn } from '../../src/steps/hold.ts'
import { sine, wav } from '../audio/sounds.ts'
import { eventually } from '../support/eventually.ts'
import { actionsOf, capturedFetch, post } from '../support/fetches.ts'
import { createTestPlatform } from '../support/platform.ts'
import { assignNumber, createTenant, createTrunk } from '../support/rows.ts'
import { startWebhooks } from '../support/webhooks.ts'
import { startServer } from '../webhooks/server.ts'

// A prompt that is not ready: the call waits in silence, so that FreeSWITCH sends audio and hears a BYE.

let platform: Platform
let app: Hono
let folder: string
let webhooks: Awaited<ReturnType<typeof startWebhooks>>
let sounds: Awaited<ReturnType<typeof startServer>>
let channels = 0
const held: (() => void)[] = []

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'hold-test-'))
  platform = await createTestPlatform({ DATA_DIR: folder })
  app = createApp(platform).switchApp
  sounds = await startServer(({ url }, response) => {
    held.push(() =>
      url.startsWith('/gone')
        ? response.writeHead(404).end()
        : response.end(wav([sine(400, 8000, 0.2)], 8000)),
    )
  })
  const play = (path: string) => `<Play>${sounds.url}${path}</Play>`
  const documents = {
    '/late': `<Response>${play('/late')}<Dial>+14155550001</Dial></Response>`,
    '/gone': `<Response>${play('/gone')}<Pause/></Response>`,
    '/never': `<Response>${play('/never')}</Response>`,
    '/many': `<Response>${Array.from({ length: 12 }, (_, n) => play(`/many/${n}`)).join('')}</Response>`,
    '/gone-later': `<Response>${play('/gone-later')}</Response>`,
  }
  webhooks = await startWebhooks(documents)
  const tenant = await createTenant(platform)
  await createTrunk(platform, tenant, { outboundHost: 'pbx.example.com' })
  for (const [index, path] of Object.keys(documents).entries())
    await assignNumber(platform, tenant, `1415555111${index}`, { voiceUrl: webhooks.url(path) })
})
afterAll(async () => {
  await Promise.all([webhooks.close(), sounds.close()])
  await platform.database.close()
  await rm(folder, { recursive: true })
})

async function arrive(index: number) {
  const channelUuid = `00000000-0000-4000-8000-${String(++channels).padStart(12, '0')}`
  const body = capturedFetch('dialplan-inbound-source-ip', {
    ...{ 'Unique-ID': channelUuid, 'Hunt-Destination-Number': `1415555111${index}` },
  })
  let actions = actionsOf(await (await post(app, '/freeswitch/xml', body)).text())
  const [call] = await platform.db.select().from(phoneCalls).where(eq(phoneCalls.channelUuid, channelUuid))
  if (call === undefined) throw new Error('The call was not let in.')
  const comeBack = async (at: string) => {
    const again = capturedFetch('dialplan-after-gather-digit', {
      ...{ 'Unique-ID': channelUuid, 'Hunt-Destination-Number': call.id, variable_twiml_at: at },
    })
    return actionsOf(await (await post(app, '/freeswitch/xml', again)).text())
  }
  // On a busy machine the webhook itself may be late.
  while (actions.at(-2) === 'set twiml_at=1.start') actions = await comeBack('1.start')
  return { id: call.id, actions, comeBack }
}

const legs = ({ id }: { id: string }) =>
  platform.db.select().from(phoneCalls).where(eq(phoneCalls.parentCallId, id))

function release() {
  for (const answer of held.splice(0)) answer()
}

/** What a waiting call gets once its prompt has come: it may take some turns on a busy machine. */
async function released(call: Awaited<ReturnType<typeof arrive>>): Promise<string[]> {
  release()
  for (let turn = 1; turn < 15; turn++) {
    const actions = await call.comeBack(`1.wait.0.${turn}`)
    if (actions.at(-2) !== `set twiml_at=1.wait.0.${turn + 1}`) return actions
  }
  throw new Error('It still waits.')
}

test('waits again and again until it is there; what follows it is not begun before', async () => {
  const call = await arrive(0)
  const waiting = (waits: number, ms: number) => [
    `playback silence_stream://${ms}`,
    `set twiml_at=1.wait.0.${waits}`,
    `transfer ${call.id} XML twiml`,
  ]
  expect(call.actions.slice(-4)).toEqual(['answer', ...waiting(0, 500)])
  expect((await call.comeBack('1.wait.0.0')).slice(-3)).toEqual(waiting(1, 1000))
  expect(await legs(call)).toEqual([])
  expect(held).toHaveLength(1)
  const actions = await released(call)
  expect(actions.filter((action) => /^(playback|bridge) /.test(action))).toEqual([
    expect.stringMatching(/^playback http:\S+\/freeswitch\/audio\/[0-9a-f]{32}\.wav$/),
    expect.stringMatching(/^bridge /),
  ])
  expect(await legs(call)).toHaveLength(1)
  // From now on it is ready.
  const next = await arrive(0)
  expect(next.actions.filter((action) => action.startsWith('bridge '))).toHaveLength(1)
})

test('what will never be there is not waited for any longer, and is told once', async () => {
  const call = await arrive(1)
  expect(call.actions.at(-2)).toBe('set twiml_at=1.wait.0.0')
  await call.comeBack('1.wait.0.0')
  const actions = await released(call)
  expect(actions.at(-1)).toBe('hangup NORMAL_CLEARING')
  // It is told beside the call, not before it goes on.
  await eventually(async () => {
    const logs = await platform.db.select().from(errorLogs)
    expect(logs.map(({ message }) => message)).toEqual([
      `A prompt cannot be heard. ${sounds.url}/gone answered 404.`,
    ])
  })
})

test('of a long document only what is heard soon is made ahead, in the account’s name; the rest in its turn', async () => {
  const asked = () => sounds.requests.filter(({ url }) => url.startsWith('/many')).length
  const call = await arrive(3)
  expect(call.actions.at(-2)).toBe('set twiml_at=1.wait.0.0')
  for (let turn = 0; turn < 5; turn++) {
    release()
    await new Promise((resolve) => setTimeout(resolve, 200))
  }
  expect(asked()).toBe(4)
  const releasing = setInterval(release, 20)
  const heard: string[] = []
  let actions = await call.comeBack('1.wait.0.0')
  for (let turn = 0; turn < 30; turn++) {
    heard.push(...actions.filter((action) => action.startsWith('playback http')))
    const [, at] = /^set twiml_at=(1\.wait\..*)$/.exec(actions.at(-2) ?? '') ?? []
    if (at === undefined) break
    actions = await call.comeBack(at)
  }
  clearInterval(releasing)
  const names = Array.from({ length: 12 }, (_, n) =>
    promptName(platform.keys, { kind: 'play', url: `${sounds.url}/many/${n}` }),
  )
  expect(heard).toEqual(names.map((name) => expect.stringContaining(`/${name}.wav`)))
  const [prompt] = await platform.db
    .select()
    .from(audioPrompts)
    .where(eq(audioPrompts.id, names[11] ?? ''))
  const [row] = await platform.db.select().from(phoneCalls).where(eq(phoneCalls.id, call.id))
  expect(prompt?.accountId).toBe(row?.accountId)
})

test('what was heard before is heard again when no newer one can be had, and that is told', async () => {
  const url = `${sounds.url}/gone-later`
  const before = wav([sine(400, 8000, 0.2)], 8000)
  const name = promptName(platform.keys, { kind: 'play', url })
  await keep(cacheFor(platform.env), name, before, new Date(Date.now() - 1000))
  const actions = await released(await arrive(4))
  expect(actions).toContain(`playback ${platform.env.SWITCH_URL}/freeswitch/audio/${name}.wav`)
  // FreeSWITCH asks while it is still known that there is no newer one.
  const heard = await app.request(`/freeswitch/audio/${name}.wav`)
  expect(heard.status).toBe(200)
  expect(Buffer.from(await heard.arrayBuffer())).toEqual(before)
  await eventually(async () => {
    const logs = await platform.db.select().from(errorLogs).where(eq(errorLogs.type, 'play.failed'))
    expect(logs.map(({ message }) => message)).toContain(
      `A prompt is heard as it was before. ${url} answered 404.`,
    )
  })
})

test('nobody waits for ever', async () => {
  const call = await arrive(2)
  expect(call.actions.at(-2)).toBe('set twiml_at=1.wait.0.0')
  expect((await call.comeBack('1.wait.0.19')).at(-2)).toBe('set twiml_at=1.wait.0.20')
  expect((await call.comeBack('1.wait.0.20')).at(-1)).toBe('hangup NORMAL_CLEARING')
  release()
})

test.each(['2.wait.0.0', '1.0', '1.start', '1.wait.0', '1.wait.0.0.0', '1.wait.x.0', '', null])(
  '%j is no place to wait at in step 1',
  (at) => {
    expect(holdIn(at, 1)).toBeNull()
  },
)
