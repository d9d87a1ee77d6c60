import { randomUUID } from 'node:crypto'
import { connect, type Socket } from 'node:net'
import { readEvent, type SwitchEvent } from './event.ts'
import { createFrameReader, type Frame } from './frame.ts'

/** Where a switch's mod_event_socket listens (REGIONS_FILE, contract section 2). */
export type SwitchAddress = { host: string; port: number; password: string }

/** What a switch answered. `lost`: no answer will come; `sent` tells whether it may have done what it was told. */
export type Reply = { kind: 'reply'; text: string } | { kind: 'lost'; sent: boolean; problem: string }

/** Who hears of a connection: `up` with the switch's own name, `down` with the reason, once each in turn. */
export type Listener = {
  up(switchName: string): void
  down(problem: string): void
  event(event: SwitchEvent): void
}

/** Bounds in milliseconds on everything that waits. */
export type Patience = {
  /** Until a new connection is logged in. */
  connect: number
  /** Until a command is answered; a connection that takes longer is given up. */
  reply: number
  /** Between two questions whether the switch is still there. */
  keepalive: number
  /** Before the first new try; each further one waits twice as long. */
  retry: number
  longestRetry: number
}

const usualPatience: Patience = {
  connect: 5000,
  reply: 8000,
  keepalive: 4000,
  retry: 250,
  longestRetry: 4000,
}
const mostWaiting = 20_000

type Waiter = { resolve(reply: Reply): void; timer: NodeJS.Timeout }

/** One connection to a switch that comes back by itself after every loss (freeswitch.md 12). Commands are text that
 * commands.ts checked; a line break in one is refused here as well. */
export class EventSocket {
  readonly #address: SwitchAddress
  readonly #listener: Listener
  readonly #patience: Patience
  #socket: Socket | null = null
  #waiting: Waiter[] = []
  #jobs = new Map<string, Waiter>()
  #events = 'BACKGROUND_JOB'
  #up = false
  #closed = false
  #failures = 0
  #problem = 'not connected yet'
  #reason: string | null = null
  #timer: NodeJS.Timeout | undefined

  constructor(address: SwitchAddress, listener: Listener, patience: Partial<Patience> = {}) {
    this.#address = address
    this.#listener = listener
    this.#patience = { ...usualPatience, ...patience }
  }

  /** Whether commands reach the switch now. */
  get isUp(): boolean {
    return this.#up
  }

  /** Why it is not up; the last reason when it is. */
  get problem(): string {
    return this.#problem
  }

  /** Begins to connect, and goes on trying until `close`. */
  open(): void {
    if (this.#closed || this.#socket !== null) return
    const socket = connect({
      host: this.#address.host,
      port: this.#address.port,
      noDelay: true,
      keepAlive: true,
    })
    this.#socket = socket
    this.#reason = null
    const read = createFrameReader()
    socket.on('data', (chunk) => {
      try {
        for (const frame of read(chunk)) this.#receive(frame)
      } catch (error) {
        this.#giveUp((error as Error).message)
      }
    })
    socket.on('error', (error) => this.#giveUp(error.message))
    socket.on('close', () => this.#lost())
    this.#timer = setTimeout(() => this.#giveUp('no login within the time'), this.#patience.connect)
  }

  /** Runs an API command and gives its output; later commands wait for it, so it must be a quick one. */
  api(command: string): Promise<Reply> {
    return this.#up ? this.#send(`api ${line(command)}`) : this.#unreachable()
  }

  /** Runs an API command in a thread of its own and gives its output; it may take as long as is said. `accepted` is called
   * once the switch has taken it. */
  async background(command: string, patienceMs: number, accepted = () => {}): Promise<Reply> {
    if (!this.#up) return this.#unreachable()
    const id = randomUUID()
    const result = this.#wait(patienceMs, (waiter) => this.#jobs.set(id, waiter))
    const taken = await this.#send(`bgapi ${line(command)}\nJob-UUID: ${id}`)
    if (taken.kind === 'reply' && taken.text.startsWith('+OK')) {
      accepted()
      return result.finally(() => this.#jobs.delete(id))
    }
    this.#settle(this.#jobs.get(id), taken)
    this.#jobs.delete(id)
    return result
  }

  /** Hears these events from now on, on this and every later connection; `names` as `event json` takes them. */
  async subscribe(names: readonly string[]): Promise<void> {
    this.#events = line(['BACKGROUND_JOB', ...names].join(' '))
    if (this.#up) await this.#subscribe()
  }

  /** Ends the connection for good; everything that waits is told so. */
  async close(): Promise<void> {
    this.#closed = true
    clearTimeout(this.#timer)
    const socket = this.#socket
    if (socket === null) return
    const closed = new Promise((resolve) => socket.once('close', resolve))
    this.#giveUp('closed')
    await closed
  }

  #receive({ headers, body }: Frame): void {
    const type = headers.get('content-type')
    if (type === 'auth/request') void this.#login()
    else if (type === 'command/reply') this.#answer(headers.get('reply-text') ?? '')
    else if (type === 'api/response') this.#answer(body.toString('utf8'))
    else if (type === 'text/event-json') this.#hear(readEvent(body))
    else if (type === 'text/rude-rejection') this.#giveUp('the switch does not let this address in')
  }

  // Answers come in the order of the commands.
  #answer(text: string): void {
    this.#settle(this.#waiting.shift(), { kind: 'reply', text })
  }

  #hear(event: SwitchEvent | null): void {
    if (event === null) return
    if (event.kind === 'job-done')
      this.#settle(this.#jobs.get(event.jobId), { kind: 'reply', text: event.output })
    else if (this.#up) this.#listener.event(event)
  }

  async #login(): Promise<void> {
    const accepted = await this.#send(`auth ${line(this.#address.password)}`)
    if (accepted.kind !== 'reply') return
    if (!accepted.text.startsWith('+OK')) return this.#giveUp('the switch refuses the password')
    const name = await this.#send('api switchname')
    const subscribed = await this.#subscribe()
    if (name.kind !== 'reply' || subscribed.kind !== 'reply') return
    clearTimeout(this.#timer)
    this.#up = true
    this.#failures = 0
    this.#timer = setInterval(() => void this.api('strepoch'), this.#patience.keepalive)
    this.#listener.up(name.text.trim())
  }

  async #subscribe(): Promise<Reply> {
    await this.#send('noevents')
    return this.#send(`event json ${this.#events}`)
  }

  async #send(text: string): Promise<Reply> {
    const socket = this.#socket
    if (socket === null || socket.destroyed || this.#waiting.length >= mostWaiting) return this.#unreachable()
    socket.write(`${text}\n\n`)
    return this.#wait(
      this.#patience.reply,
      (waiter) => this.#waiting.push(waiter),
      () => this.#giveUp(`no answer within ${this.#patience.reply} ms`),
    )
  }

  #wait(patienceMs: number, place: (waiter: Waiter) => void, late = () => {}): Promise<Reply> {
    return new Promise((resolve) => {
      const timer = setTimeout(() => {
        resolve({ kind: 'lost', sent: true, problem: `no result within ${patienceMs} ms` })
        late()
      }, patienceMs)
      place({ resolve, timer })
    })
  }

  #settle(waiter: Waiter | undefined, reply: Reply): void {
    clearTimeout(waiter?.timer)
    waiter?.resolve(reply)
  }

  #unreachable(): Promise<Reply> {
    return Promise.resolve({ kind: 'lost', sent: false, problem: this.#problem })
  }

  #giveUp(problem: string): void {
    this.#reason ??= problem
    this.#socket?.destroy()
  }

  #lost(): void {
    const wasUp = this.#up
    this.#up = false
    this.#socket = null
    this.#problem = this.#reason ?? 'the switch closed the connection'
    clearTimeout(this.#timer)
    const lost: Reply = { kind: 'lost', sent: true, problem: this.#problem }
    const waiting = [...this.#waiting, ...this.#jobs.values()]
    this.#waiting = []
    this.#jobs.clear()
    for (const waiter of waiting) this.#settle(waiter, lost)
    if (wasUp || this.#failures === 0) this.#listener.down(this.#problem)
    const delay = Math.min(this.#patience.retry * 2 ** this.#failures++, this.#patience.longestRetry)
    if (!this.#closed) this.#timer = setTimeout(() => this.open(), delay * (0.75 + Math.random() / 2))
  }
}

function line(text: string): string {
  if (/[\r\n\0]/.test(text)) throw new Error('A command of the event socket is one line.')
  return text
}
