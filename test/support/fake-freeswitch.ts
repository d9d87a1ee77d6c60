import { once } from 'node:events'
import { createServer, type Server } from 'node:net'
import { createFakeClient, type FakeClient } from './fake-event-socket.ts'
import { addGateway, registerEvent, runSofia } from './fake-sofia.ts'

export { registerEvent }

/** What the fake holds as a FreeSWITCH would; tests read it and may change it. */
export type FakeGateway = { version: number; state: string; up: boolean; dying: boolean; startedAt: number }
export type FakeRegistration = {
  username: string
  registrationId: string
  contact: string
  mark: string
  expiresSeconds: number
}

/** A switch of our own for tests: it speaks mod_event_socket word for word as 1.10.12 does, keeps gateways,
 * registrations and channels, and does what it is told. */
export type FakeFreeswitch = {
  readonly name: string
  readonly host: '127.0.0.1'
  readonly port: number
  readonly password: string
  /** `host:port`: the id of the switch in our tables. */
  readonly id: string
  /** Every `api` and `bgapi` command so far, without its first word. */
  readonly commands: string[]
  readonly gateways: Map<string, FakeGateway>
  /** `added` and `deleted` with the gateway's name, in order. */
  readonly history: string[]
  readonly registrations: Map<string, FakeRegistration>
  readonly channels: Set<string>
  /** Those of its channels that came to it and are answered. */
  readonly answeredInbound: Set<string>
  /** The gateway's version as the server would serve it, or null when it would not; asked by `startgw`. */
  serve: (gateway: string) => number | null | Promise<number | null>
  /** What its registrar answers: 200 registers, another status fails, null stays silent. */
  registrar: (gateway: string) => { code: number; phrase: string } | null
  /** Takes precedence over the fake's own answers: the output of a command, or undefined to leave it. */
  answer: (command: string) => string | undefined | Promise<string | undefined>
  /** Milliseconds of one round of the profile's worker, a second in FreeSWITCH. */
  tickMs: number
  /** How its output is cut into packets; the whole of it when absent. */
  chunk: ((bytes: Buffer) => Buffer[]) | undefined
  /** While true it reads and answers nothing, as a switch that hangs. */
  silent: boolean
  /** Connections that are logged in. */
  readonly connections: number
  /** Connections that hear of channels. */
  readonly listeners: number
  /** Does something later, unless the switch has died by then. */
  later(ms: number, deed: () => void): void
  /** Sends an event to everyone who subscribed to it. */
  emit(fields: Record<string, string>): void
  /** A client registers, as the directory let it. */
  register(registration: FakeRegistration): void
  /** Its event socket is cut, while everything else goes on. */
  cut(): void
  mend(): void
  /** The process dies: connections break, gateways, channels and registrations are gone, the port is closed. */
  die(): Promise<void>
  /** It starts again on the same port; `boots` gateways as its whole sofia.conf would bring them. */
  boot(boots?: ReadonlyMap<string, number>): Promise<void>
  close(): Promise<void>
}

/** Starts a fake switch on a free port. */
export async function startFakeFreeswitch(
  given: { name?: string; password?: string } = {},
): Promise<FakeFreeswitch> {
  const clients = new Set<FakeClient>()
  const timers = new Set<NodeJS.Timeout>()
  let severed = false
  let sequence = 0
  const server = createServer((socket) => {
    if (severed) return void socket.destroy()
    const client = createFakeClient(socket, fake, (command) => run(fake, command))
    clients.add(client)
    socket.on('close', () => clients.delete(client))
  })
  const port = await listen(server, 0)
  const breakAll = () => {
    for (const client of clients) client.socket.destroy()
  }
  const die = async () => {
    for (const timer of timers) clearTimeout(timer)
    timers.clear()
    const closed = server.listening ? once(server, 'close') : undefined
    server.close()
    breakAll()
    await closed
    for (const held of [fake.gateways, fake.registrations, fake.channels, fake.answeredInbound]) held.clear()
  }
  const fake: FakeFreeswitch = {
    ...{ name: given.name ?? 'switch-1', password: given.password ?? 'ClueCon', host: '127.0.0.1', port },
    id: `127.0.0.1:${port}`,
    get connections() {
      return [...clients].filter((client) => client.loggedIn).length
    },
    get listeners() {
      return [...clients].filter((client) => client.hears('CHANNEL_ANSWER')).length
    },
    ...{ commands: [], history: [], gateways: new Map(), registrations: new Map(), channels: new Set() },
    answeredInbound: new Set(),
    ...{ serve: () => 1, registrar: () => ({ code: 200, phrase: 'OK' }), answer: () => undefined },
    ...{ tickMs: 20, chunk: undefined, silent: false },
    later: (ms, deed) => {
      const timer = setTimeout(() => {
        timers.delete(timer)
        deed()
      }, ms)
      timers.add(timer)
    },
    emit: (fields) => {
      const stamp = {
        'Event-Date-Timestamp': String(Date.now() * 1000),
        'Event-Sequence': String(++sequence),
      }
      for (const client of clients) client.event({ ...stamp, ...fields })
    },
    register: (registration) => {
      fake.registrations.set(registration.registrationId, registration)
      fake.emit(registerEvent(registration))
    },
    cut: () => {
      severed = true
      breakAll()
    },
    mend: () => {
      severed = false
    },
    die,
    boot: async (boots = new Map()) => {
      await listen(server, port)
      for (const [gateway, version] of boots) addGateway(fake, gateway, version)
    },
    close: die,
  }
  return fake
}

async function listen(server: Server, port: number): Promise<number> {
  server.listen(port, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('A TCP port was expected.')
  return address.port
}

async function run(fake: FakeFreeswitch, command: string): Promise<string> {
  fake.commands.push(command)
  const given = (await fake.answer(command)) ?? (await runSofia(fake, command))
  if (given !== undefined) return given
  const [first, second = ''] = command.split(' ')
  if (command === 'switchname') return fake.name
  if (command === 'strepoch') return String(Math.floor(Date.now() / 1000))
  if (command === 'show channels as json') return channelList(fake)
  if (first === 'uuid_kill' || first === 'uuid_transfer')
    return fake.channels.has(second) ? '+OK\n' : '-ERR No such channel!\n\n'
  return `-ERR ${first} Command not found!\n\n`
}

function channelList({ channels, answeredInbound }: FakeFreeswitch): string {
  const rows = [...channels].map((uuid) =>
    answeredInbound.has(uuid)
      ? { uuid, direction: 'inbound', state: 'CS_EXECUTE', callstate: 'ACTIVE' }
      : { uuid, direction: 'outbound', state: 'CS_EXECUTE', callstate: 'ACTIVE' },
  )
  return JSON.stringify(rows.length === 0 ? { row_count: 0 } : { row_count: rows.length, rows })
}
