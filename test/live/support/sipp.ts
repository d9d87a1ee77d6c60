import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { freeSipPort, udpPortIsFree } from './ports.ts'
import { type Program, startProgram, until } from './programs.ts'
import { type Step, scenario } from './sip-script.ts'

/** A SIPp run from one address. */
export type Script = {
  steps: readonly Step[]
  /** Own address; its port is picked unless given. */
  from: string
  port?: number
  /** `host:port` of the other side; none for a script that waits for calls. */
  to?: string
  /** User of the request line. */
  number?: string
  /** How many calls, and how many of them a second. */
  calls?: number
  perSecond?: number
  timeoutSeconds?: number
}

/** A SIPp that runs. */
export type Sipp = {
  /** Where it listens. */
  address: string
  /** The messages so far, oldest first. */
  messages(): SipMessage[]
  /** Seconds from the first answer to the first BYE: what the record of a call must say, to the second. */
  talkedSeconds(): number
  /** Waits for its end: 0 when every call went as the script says. */
  result(): Promise<number | NodeJS.Signals>
  stop(): Promise<unknown>
}

/** One SIP message as SIPp saw it. */
export type SipMessage = { direction: 'sent' | 'received'; atMs: number; firstLine: string; text: string }

let runs = 0

/** Starts SIPp and waits until it can be called; its files go to the folder. */
export async function startSipp(folder: string, script: Script): Promise<Sipp> {
  const name = `sipp-${++runs}`
  const scenarioFile = join(folder, `${name}.xml`)
  const messageFile = join(folder, `${name}.messages`)
  const port = script.port ?? (await freeSipPort(script.from))
  writeFileSync(scenarioFile, scenario(script.steps))
  const program: Program = startProgram(
    name,
    'sipp',
    ['-sf', scenarioFile, '-p', String(port), '-message_file', messageFile, ...sippOptions(script)],
    { logFile: join(folder, `${name}.log`), cwd: folder, env: { TERM: 'dumb' } },
  )
  await until(`${name} listens`, async () =>
    !program.running() || !(await udpPortIsFree(port, script.from)) ? true : undefined,
  )
  return {
    address: `${script.from}:${port}`,
    messages: () => readMessages(messageFile),
    talkedSeconds: () => talkedSeconds(readMessages(messageFile)),
    result: () => program.ended,
    stop: () => program.stop(),
  }
}

function sippOptions({ from, to, number, calls = 1, perSecond = 10, timeoutSeconds = 30 }: Script): string[] {
  return [
    ...['-i', from, '-s', number ?? 'service'],
    ...['-m', String(calls), '-r', String(perSecond), '-l', '1000'],
    ...['-timeout', `${timeoutSeconds}s`, '-timeout_error', '-nostdin', '-nd', '-trace_msg', '-trace_err'],
    ...(to === undefined ? [] : [to]),
  ]
}

const heading = /^-{20,} (\S+) (\S+)\n\w+ message (sent|received) .*\n\n/

function readMessages(file: string): SipMessage[] {
  return readOrEmpty(file)
    .split(/^(?=-{20,} )/m)
    .flatMap((part) => {
      const [head, date, time, direction] = heading.exec(part) ?? []
      if (head === undefined) return []
      const text = part.slice(head.length).trim()
      return [
        {
          direction: direction === 'sent' ? 'sent' : 'received',
          atMs: Date.parse(`${date}T${time}`),
          firstLine: text.split('\r\n')[0] ?? '',
          text,
        },
      ]
    })
}

function talkedSeconds(messages: readonly SipMessage[]): number {
  const at = (start: string) =>
    messages.find(({ firstLine }) => firstLine.startsWith(start))?.atMs ?? Number.NaN
  return (at('BYE ') - at('SIP/2.0 200')) / 1000
}

function readOrEmpty(file: string): string {
  try {
    return readFileSync(file, 'utf8')
  } catch {
    return ''
  }
}
