import { execFile } from 'node:child_process'
import { mkdirSync, readFileSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { promisify } from 'node:util'
import { freeSipPort, freeTcpPort } from './ports.ts'
import { type Program, startProgram, until } from './programs.ts'

/** A FreeSWITCH that runs. */
export type FreeSwitch = {
  name: string
  /** `host:port` of its SIP profile. */
  sip: string
  eventSocket: { host: string; port: number; password: string }
  /** Folder of its logs, among them `cdr-spool`. */
  logs: string
  /** From its start until its SIP profile ran. */
  startMs: number
  /** Runs a command and gives its answer. */
  api(command: string): Promise<string>
  /** The warnings and errors of its log. */
  complaints(): string[]
  stop(signal?: NodeJS.Signals): Promise<unknown>
}

/** What a FreeSWITCH is started with. */
export type FreeSwitchOptions = {
  name: string
  /** Folder of its configuration. */
  conf: string
  /** Profile that must run before it counts as started. */
  profile: string
  /** Environment that its configuration reads. */
  env?: Record<string, string>
  sipAddress?: string
  sipPort?: number
  eventSocketPort?: number
}

/** The product's configuration. */
export const productConf = resolve(import.meta.dirname, '../../../freeswitch-conf')

const binary = process.env.FREESWITCH ?? ''
const run = promisify(execFile)

/** Starts a FreeSWITCH with folders of its own, and waits until its SIP profile runs. */
export async function startFreeSwitch(folder: string, options: FreeSwitchOptions): Promise<FreeSwitch> {
  const startedAt = Date.now()
  const home = join(folder, options.name)
  const address = options.sipAddress ?? '127.0.0.1'
  const sipPort = options.sipPort ?? (await freeSipPort(address))
  const eventSocketPort = options.eventSocketPort ?? (await freeTcpPort())
  const program = startProgram(
    options.name,
    binary,
    ['-nf', '-nc', '-nonat', ...folders(home, options.conf)],
    {
      logFile: join(folder, `${options.name}.log`),
      cwd: folder,
      env: {
        SWITCH_NAME: options.name,
        SIP_IP: address,
        SIP_PORT: String(sipPort),
        EVENT_SOCKET_PORT: String(eventSocketPort),
        ...rtpPorts(),
        FREESWITCH_LOG_LEVEL: 'info',
        ...options.env,
      },
    },
  )
  const api = async (command: string) =>
    (await run(join(dirname(binary), 'fs_cli'), ['-P', String(eventSocketPort), '-x', command])).stdout.trim()
  await until(`${options.name} runs its profile`, () => profileRuns(program, api, options.profile), 60_000)
  return {
    name: options.name,
    sip: `${address}:${sipPort}`,
    eventSocket: { host: '127.0.0.1', port: eventSocketPort, password: 'ClueCon' },
    logs: join(home, 'log'),
    startMs: Date.now() - startedAt,
    api,
    complaints: () => complaints(join(home, 'log/freeswitch.log')),
    stop: (signal) => program.stop(signal),
  }
}

function folders(home: string, conf: string): string[] {
  const names = ['log', 'db', 'run', 'cache', 'temp', 'recordings', 'storage']
  for (const name of names) mkdirSync(join(home, name), { recursive: true })
  return ['-conf', conf, ...names.flatMap((name) => [`-${name}`, join(home, name)])]
}

// Several FreeSWITCHes run side by side, and other test runs may do so as well.
function rtpPorts(): { RTP_START_PORT: string; RTP_END_PORT: string } {
  const start = 10_000 + 2 * Math.floor(Math.random() * 10_000)
  return { RTP_START_PORT: String(start), RTP_END_PORT: String(start + 1000) }
}

async function profileRuns(
  program: Program,
  api: FreeSwitch['api'],
  profile: string,
): Promise<true | undefined> {
  if (!program.running()) throw new Error(`${program.name} ended: ${readFileSync(program.logFile, 'utf8')}`)
  const status = await api('sofia status').catch(() => '')
  return new RegExp(`\\b${profile}\\s+profile\\s.*RUNNING`).test(status) ? true : undefined
}

function complaints(file: string): string[] {
  return readFileSync(file, 'utf8')
    .split('\n')
    .filter((line) => /\[(WARNING|ERR|CRIT|ALERT)\]/.test(line))
}
