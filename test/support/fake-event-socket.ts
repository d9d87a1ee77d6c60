import type { Socket } from 'node:net'
import type { FakeFreeswitch } from './fake-freeswitch.ts'

/** A connection to the fake's event socket. */
export type FakeClient = {
  socket: Socket
  readonly loggedIn: boolean
  hears(name: string): boolean
  event(fields: Record<string, string>): void
}

/** Speaks mod_event_socket on a connection, word for word as 1.10.12 does; `run` gives a command's output. */
export function createFakeClient(
  socket: Socket,
  fake: FakeFreeswitch,
  run: (command: string) => Promise<string>,
): FakeClient {
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
