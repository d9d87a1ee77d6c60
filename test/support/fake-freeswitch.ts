import { once } from 'node:events'
import { createServer, type Socket } from 'node:net'

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
  const name = given.name ?? 'switch-1'
  const password = given.password ?? 'ClueCon'
  const clients = new Set<Client>()
  const timers = new Set<NodeJS.Timeout>()
  const gateways = new Map<string, FakeGateway>()
  const registrations = new Map<string, FakeRegistration>()
  const channels = new Set<string>()
  const commands: string[] = []
  const history: string[] = []
  let sequence = 0
  let port = 0

  const later = (ms: number, deed: () => void) => {
    const timer = setTimeout(() => {
      timers.delete(timer)
      deed()
    }, ms)
    timers.add(timer)
  }
  const gatewayState = (gateway: string, state: string, more: Record<string, string> = {}) => {
    const known = gateways.get(gateway)
    if (known) known.state = state
    fake.emit({
      'Event-Name': 'CUSTOM',
      'Event-Subclass': 'sofia::gateway_state',
      Gateway: gateway,
      State: state,
      'Ping-Status': known?.up ? 'UP' : 'DOWN',
      ...more,
    })
  }
  const tryRegister = (gateway: string) => {
    const started = gateways.get(gateway)
    if (!started || started.dying) return
    gatewayState(gateway, 'TRYING')
    const answer = fake.registrar(gateway)
    if (answer === null) return
    const from = { 'Register-Network-IP': '192.0.2.10', 'Register-Network-Port': '5060' }
    const word = { Status: String(answer.code), Phrase: answer.phrase }
    gatewayState(gateway, answer.code === 200 ? 'REGISTER' : 'FAILED', { ...from, ...word })
    later(fake.tickMs, () => {
      if (gateways.get(gateway) !== started || started.dying) return
      started.up = answer.code === 200
      gatewayState(gateway, started.up ? 'REGED' : 'FAIL_WAIT', from)
    })
  }
  const add = (gateway: string, version: number) => {
    gateways.set(gateway, { version, state: 'UNREGED', up: false, dying: false, startedAt: Date.now() })
    history.push(`added ${gateway}`)
    const added = { 'Event-Name': 'CUSTOM', 'Event-Subclass': 'sofia::gateway_add', Gateway: gateway }
    fake.emit({ ...added, 'profile-name': 'nat_gateway' })
    later(fake.tickMs / 2, () => tryRegister(gateway))
  }
  const start = async (gateway: string) => {
    const version = await fake.serve(gateway)
    if (version !== null && !(gateways.get(gateway)?.dying === false)) add(gateway, version)
    return `Reload XML [Success]\n+OK start gateway ${gateway} complete\n`
  }
  const kill = (gateway: string) => {
    const known = gateways.get(gateway)
    if (!known || known.dying) return '-ERR no such gateway.\n\n'
    known.dying = true
    later(fake.tickMs / 2, () => gatewayState(gateway, 'DOWN'))
    later(fake.tickMs * 1.5, () => {
      if (gateways.get(gateway) === known) gateways.delete(gateway)
      history.push(`deleted ${gateway}`)
      const deleted = { 'Event-Name': 'CUSTOM', 'Event-Subclass': 'sofia::gateway_delete', Gateway: gateway }
      fake.emit({ ...deleted, 'profile-name': 'nat_gateway' })
    })
    return '+OK gateway marked for deletion.\n\n'
  }
  const flush = (user: string) => {
    for (const [id, registration] of registrations) {
      if (`${registration.username}@trunks` !== user && id !== user) continue
      registrations.delete(id)
      fake.emit({
        'Event-Name': 'CUSTOM',
        'Event-Subclass': 'sofia::expire',
        'call-id': id,
        user: registration.username,
        username: registration.username,
        host: 'trunks',
        contact: registration.contact,
        expires: String(Math.floor(Date.now() / 1000)),
      })
    }
    return '+OK flushing all registrations matching specified call_id\n\n'
  }
  const living = (gateway: string | undefined) => {
    const known = gateways.get(gateway ?? '')
    return known?.dying === false ? known : undefined
  }
  const onChannel = (uuid: string | undefined) =>
    channels.has(uuid ?? '') ? '+OK\n' : '-ERR No such channel!\n\n'

  const run = async (command: string): Promise<string> => {
    commands.push(command)
    const given = await fake.answer(command)
    if (given !== undefined) return given
    const [first, second, , verb, argument] = command.split(' ')
    if (command === 'switchname') return name
    if (command === 'strepoch') return String(Math.floor(Date.now() / 1000))
    if (command === 'show channels as json') return channelList(channels)
    if (command === 'sofia xmlstatus profile nat_gateway reg') return registrationList(registrations, name)
    if (first === 'sofia_gateway_data') return String(living(second)?.version ?? '-ERR no reply\n')
    if (first === 'sofia' && second === 'xmlstatus') return gatewayXml(verb ?? '', living(verb))
    if (first === 'uuid_kill' || first === 'uuid_transfer') return onChannel(second)
    if (verb === 'gwlist') {
      const listed = [...gateways].filter(([, gateway]) => gateway.up === (argument === 'up'))
      return listed.map(([gateway]) => `${gateway} `).join('') || '-ERR no reply\n'
    }
    if (verb === 'startgw') return start(argument ?? '')
    if (verb === 'killgw') return kill(argument ?? '')
    if (verb === 'register') {
      tryRegister(argument ?? '')
      return '+OK\n'
    }
    if (verb === 'flush_inbound_reg') return flush(argument ?? '')
    return `-ERR ${first} Command not found!\n\n`
  }

  let severed = false
  const server = createServer((socket) => {
    if (severed) return void socket.destroy()
    const client = createClient(socket, fake, run)
    clients.add(client)
    socket.on('close', () => clients.delete(client))
  })
  const listen = async () => {
    server.listen(port, '127.0.0.1')
    await once(server, 'listening')
    const address = server.address()
    if (address === null || typeof address === 'string') throw new Error('A TCP port was expected.')
    port = address.port
  }
  const stop = async () => {
    for (const timer of timers) clearTimeout(timer)
    timers.clear()
    const closed = server.listening ? once(server, 'close') : undefined
    server.close()
    for (const client of clients) client.socket.destroy()
    await closed
    gateways.clear()
    registrations.clear()
    channels.clear()
  }

  const fake: FakeFreeswitch = {
    name,
    password,
    host: '127.0.0.1',
    get port() {
      return port
    },
    get id() {
      return `127.0.0.1:${port}`
    },
    get connections() {
      return [...clients].filter((client) => client.loggedIn).length
    },
    get listeners() {
      return [...clients].filter((client) => client.hears('CHANNEL_ANSWER')).length
    },
    commands,
    gateways,
    history,
    registrations,
    channels,
    serve: () => 1,
    registrar: () => ({ code: 200, phrase: 'OK' }),
    answer: () => undefined,
    tickMs: 20,
    chunk: undefined,
    silent: false,
    emit: (fields) => {
      const event = {
        'Event-Date-Timestamp': String(Date.now() * 1000),
        'Event-Sequence': String(++sequence),
        ...fields,
      }
      for (const client of clients) client.event(event)
    },
    register: (registration) => {
      registrations.set(registration.registrationId, registration)
      fake.emit(registerEvent(registration))
    },
    cut: () => {
      severed = true
      for (const client of clients) client.socket.destroy()
    },
    mend: () => {
      severed = false
    },
    die: stop,
    boot: async (boots = new Map()) => {
      await listen()
      for (const [gateway, version] of boots) add(gateway, version)
    },
    close: stop,
  }
  await listen()
  return fake
}

type Client = {
  socket: Socket
  readonly loggedIn: boolean
  hears(name: string): boolean
  event(fields: Record<string, string>): void
}

function createClient(
  socket: Socket,
  fake: FakeFreeswitch,
  run: (command: string) => Promise<string>,
): Client {
  let loggedIn = false
  let subscribed: ReadonlySet<string> = new Set()
  let unread = ''
  let queue = Promise.resolve()
  const write = (text: string) => {
    const bytes = Buffer.from(text)
    for (const part of fake.chunk?.(bytes) ?? [bytes]) if (!socket.destroyed) socket.write(part)
  }
  const reply = (text: string, more = '') =>
    write(`Content-Type: command/reply\nReply-Text: ${text}\n${more}\n`)
  const event = (fields: Record<string, string>) => {
    const name = fields['Event-Name'] === 'CUSTOM' ? fields['Event-Subclass'] : fields['Event-Name']
    if (!loggedIn || !subscribed.has(name ?? '')) return
    const json = JSON.stringify(fields)
    write(`Content-Length: ${Buffer.byteLength(json)}\nContent-Type: text/event-json\n\n${json}`)
  }
  const background = (command: string, job: string) => {
    reply(`+OK Job-UUID: ${job}`, `Job-UUID: ${job}\n`)
    void run(command).then((output) =>
      event({ 'Event-Name': 'BACKGROUND_JOB', 'Job-UUID': job, 'Job-Command': command, _body: output }),
    )
  }
  const obey = async (request: string): Promise<void> => {
    const [line = '', ...headers] = request.split('\n')
    const [, verb, rest = ''] = /^(\S+) ?(.*)$/.exec(line) ?? []
    if (verb === 'auth') {
      loggedIn = rest === fake.password
      reply(loggedIn ? '+OK accepted' : '-ERR invalid')
      if (!loggedIn) socket.end('Content-Type: text/disconnect-notice\nContent-Length: 9\n\nGood bye.')
    } else if (!loggedIn) reply('-ERR command not found')
    else if (verb === 'noevents') {
      reply(subscribed.size > 0 ? '+OK no longer listening for events' : '-ERR not listening for events')
      subscribed = new Set()
    } else if (verb === 'event') {
      subscribed = new Set(rest.split(' ').slice(1))
      reply('+OK event listener enabled json')
    } else if (verb === 'api') {
      const output = await run(rest)
      write(`Content-Type: api/response\nContent-Length: ${Buffer.byteLength(output)}\n\n${output}`)
    } else if (verb === 'bgapi') {
      background(rest, /^Job-UUID: (.*)$/.exec(headers[0] ?? '')?.[1] ?? 'no job')
    } else reply('-ERR command not found')
  }
  socket.on('error', () => {})
  socket.on('data', (chunk) => {
    if (fake.silent) return
    unread += chunk.toString()
    for (let end = unread.indexOf('\n\n'); end !== -1; end = unread.indexOf('\n\n')) {
      const request = unread.slice(0, end)
      unread = unread.slice(end + 2)
      queue = queue.then(() => obey(request))
    }
  })
  write('Content-Type: auth/request\n\n')
  return {
    socket,
    event,
    hears: (name) => !socket.destroyed && subscribed.has(name),
    get loggedIn() {
      return loggedIn && !socket.destroyed
    },
  }
}

/** The event of a client that registers. */
export const registerEvent = (registration: FakeRegistration): Record<string, string> => ({
  'Event-Name': 'CUSTOM',
  'Event-Subclass': 'sofia::register',
  'profile-name': 'nat_gateway',
  'from-user': registration.username,
  'from-host': 'trunks',
  contact: registration.contact,
  'call-id': registration.registrationId,
  status: 'Registered(UDP)',
  expires: String(registration.expiresSeconds),
  'network-ip': '192.0.2.77',
  'network-port': '5062',
  username: registration.username,
  realm: 'trunks',
  'user-agent': 'Test phone <1>',
  'mwi-account': registration.mark,
})

function channelList(channels: ReadonlySet<string>): string {
  const rows = [...channels].map((uuid) => ({ uuid, direction: 'inbound', state: 'CS_EXECUTE' }))
  return JSON.stringify(rows.length === 0 ? { row_count: 0 } : { row_count: rows.length, rows })
}

function gatewayXml(name: string, gateway: FakeGateway | undefined): string {
  if (!gateway) return 'Invalid Gateway!\n\n'
  const retry = ['FAILED', 'FAIL_WAIT', 'TRYING'].includes(gateway.state) ? '    <retry>27s</retry>\n' : ''
  return `<?xml version="1.0" encoding="ISO-8859-1"?>
  <gateway>
    <name>${name}</name>
    <profile>nat_gateway</profile>
    <contact>&lt;sip:gw+${name}@127.0.0.1:5060;transport=udp;gw=${name}&gt;</contact>
    <state>${gateway.state}</state>
    <status>${gateway.up ? 'UP' : 'DOWN'}</status>
${retry}  </gateway>
`
}

const registrationList = (
  registrations: ReadonlyMap<string, FakeRegistration>,
  host: string,
): string => `<?xml version="1.0" encoding="ISO-8859-1"?>
<profile>
  <registrations>
${[...registrations.values()].map((registration) => registrationXml(registration, host)).join('')}  </registrations>
</profile>
`

const registrationXml = (registration: FakeRegistration, host: string) => `    <registration>
        <call-id>${registration.registrationId}</call-id>
        <user>${registration.username}@trunks</user>
        <contact>${registration.contact.replaceAll('"', '&quot;').replaceAll('<', '&lt;').replaceAll('>', '&gt;')}</contact>
        <agent>Test phone &lt;1&gt;</agent>
        <status>Registered(UDP)(unknown) exp(2026-11-22 22:34:23) expsecs(${registration.expiresSeconds + 60})</status>
        <host>${host}</host>
        <network-ip>192.0.2.77</network-ip>
        <network-port>5062</network-port>
        <sip-auth-user>${registration.username}</sip-auth-user>
        <sip-auth-realm>trunks</sip-auth-realm>
        <mwi-account>${registration.mark}</mwi-account>
    </registration>
`
