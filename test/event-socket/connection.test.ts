import { afterEach, describe, expect, test } from 'vitest'
import { EventSocket, type Listener } from '../../src/event-socket/connection.ts'
import type { SwitchEvent } from '../../src/event-socket/event.ts'
import { eventually } from '../support/eventually.ts'
import { type FakeFreeswitch, startFakeFreeswitch } from '../support/fake-freeswitch.ts'

const open: { close(): Promise<void> }[] = []
afterEach(async () => {
  for (const thing of open.splice(0).reverse()) await thing.close()
})

async function startFake(): Promise<FakeFreeswitch> {
  const fake = await startFakeFreeswitch()
  open.push(fake)
  return fake
}

const patience = { connect: 5000, reply: 5000, keepalive: 50, retry: 20, longestRetry: 80 }

function connectTo(fake: FakeFreeswitch, password = fake.password, reply = patience.reply) {
  const heard: string[] = []
  const events: SwitchEvent[] = []
  const listener: Listener = {
    up: (name) => heard.push(`up ${name}`),
    down: (problem) => heard.push(`down ${problem}`),
    event: (event) => events.push(event),
  }
  const socket = new EventSocket({ host: fake.host, port: fake.port, password }, listener, {
    ...patience,
    reply,
  })
  open.push(socket)
  socket.open()
  return { socket, heard, events }
}

const upWith = (heard: string[]) => eventually(() => expect(heard.at(-1)).toBe('up switch-1'))

test('logs in and learns the name of the switch', async () => {
  const fake = await startFake()
  const { socket, heard } = connectTo(fake)
  await upWith(heard)
  expect(socket.isUp).toBe(true)
  expect(await socket.api('strepoch')).toEqual({ kind: 'reply', text: expect.stringMatching(/^\d{10}$/) })
})

test('answers reach their commands, in order, however they are cut', async () => {
  const fake = await startFake()
  fake.chunk = (bytes) => [...bytes].map((byte) => Buffer.from([byte]))
  fake.answer = (command) => (command.startsWith('echo ') ? command.slice(5).repeat(50) : undefined)
  const { socket, heard } = connectTo(fake)
  await upWith(heard)
  const words = Array.from({ length: 20 }, (_, index) => `w${index}-ü\n`)
  const replies = await Promise.all(words.map((word) => socket.api(`echo ${word.trim()}`)))
  expect(replies).toEqual(words.map((word) => ({ kind: 'reply', text: word.trim().repeat(50) })))
})

test('background jobs end in any order and hinder no other command', async () => {
  const fake = await startFake()
  fake.answer = async (command) => {
    const ms = /^sleep (\d+)$/.exec(command)?.[1]
    if (ms === undefined) return undefined
    await new Promise((resolve) => setTimeout(resolve, Number(ms)))
    return `slept ${ms}`
  }
  const { socket, heard } = connectTo(fake)
  await upWith(heard)
  const done: string[] = []
  const note = (reply: Awaited<ReturnType<typeof socket.api>>) =>
    done.push(reply.kind === 'reply' ? reply.text : '')
  await Promise.all([
    socket.background('sleep 80', 1000).then(note),
    socket.background('sleep 20', 1000).then(note),
    socket.api('switchname').then(note),
  ])
  expect(done).toEqual(['switch-1', 'slept 20', 'slept 80'])
  expect(await socket.background('sleep 300', 50)).toEqual({
    kind: 'lost',
    sent: true,
    problem: 'no result within 50 ms',
  })
})

test('events come to the listener once they are subscribed to, and again after a reconnect', async () => {
  const fake = await startFake()
  const { socket, heard, events } = connectTo(fake)
  await upWith(heard)
  const added = { 'Event-Name': 'CUSTOM', 'Event-Subclass': 'sofia::gateway_add', Gateway: 'a' }
  fake.emit(added)
  await socket.subscribe(['CUSTOM', 'sofia::gateway_add'])
  fake.emit({ ...added, Gateway: 'b' })
  await eventually(() => expect(events).toEqual([{ kind: 'gateway-added', gateway: 'b' }]))
  await fake.die()
  await fake.boot()
  await eventually(() => expect(heard.filter((word) => word.startsWith('up'))).toHaveLength(2))
  fake.emit({ ...added, Gateway: 'c' })
  await eventually(() => expect(events.at(-1)).toEqual({ kind: 'gateway-added', gateway: 'c' }))
})

describe('when the switch is not there', () => {
  test('says so once, keeps trying, and is up by itself when it comes', async () => {
    const fake = await startFake()
    await fake.die()
    const { socket, heard } = connectTo(fake)
    await new Promise((resolve) => setTimeout(resolve, 150))
    expect(heard).toEqual([`down connect ECONNREFUSED 127.0.0.1:${fake.port}`])
    expect(await socket.api('strepoch')).toEqual({
      kind: 'lost',
      sent: false,
      problem: `connect ECONNREFUSED 127.0.0.1:${fake.port}`,
    })
    await fake.boot()
    await upWith(heard)
  })

  test('what waits for an answer is told that it may have been done', async () => {
    const fake = await startFake()
    fake.answer = (command) => (command === 'hang' ? new Promise(() => {}) : undefined)
    const { socket, heard } = connectTo(fake)
    await upWith(heard)
    const job = socket.background('hang', 5000)
    const answer = socket.api('hang')
    await eventually(() => expect(fake.commands.filter((command) => command === 'hang')).toHaveLength(2))
    await fake.die()
    const lost = { kind: 'lost', sent: true, problem: 'the switch closed the connection' }
    expect([await job, await answer]).toEqual([lost, lost])
    expect(heard.at(-1)).toBe('down the switch closed the connection')
  })

  test('a switch that hangs is given up, and taken again when it answers', async () => {
    const fake = await startFake()
    const { heard } = connectTo(fake, fake.password, 300)
    await upWith(heard)
    fake.silent = true
    await eventually(() => expect(heard.at(-1)).toBe('down no answer within 300 ms'))
    fake.silent = false
    await upWith(heard)
  })

  test('a wrong password is said to be one', async () => {
    const fake = await startFake()
    const { heard } = connectTo(fake, 'wrong')
    await eventually(() => expect(heard).toEqual(['down the switch refuses the password']))
    expect(fake.connections).toBe(0)
  })
})

test.each(['api', 'background'] as const)('a line break never gets into %s', async (way) => {
  const fake = await startFake()
  const { socket, heard } = connectTo(fake)
  await upWith(heard)
  for (const text of ['status\n\napi shutdown', 'status\r', 'status\0']) {
    await expect((async () => socket[way](text, 100))()).rejects.toThrow('one line')
  }
  expect(fake.commands.filter((command) => !/^(switchname|strepoch)$/.test(command))).toEqual([])
})
