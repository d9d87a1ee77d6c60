import { randomBytes } from 'node:crypto'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { freeTcpPort } from './ports.ts'
import { startProgram, until } from './programs.ts'

/** The product, running as a process of its own. */
export type Server = {
  /** Base of the public listener and of the switch listener. */
  publicUrl: string
  switchUrl: string
  switchPassword: string
  operatorToken: string
  startMs: number
  /** Its log. */
  log(): string
  /** Ends it with a signal and gives its exit code. */
  stop(signal?: NodeJS.Signals): Promise<number | NodeJS.Signals>
  /** Starts it again, on the same data and ports. */
  start(): Promise<void>
}

/** A switch as REGIONS_FILE names it. */
export type SwitchAddress = { host: string; port: number; password: string }

const main = fileURLToPath(new URL('../../../src/main.ts', import.meta.url))
const tsx = import.meta.resolve('tsx')

/** Starts `src/main.ts` on an embedded database in the folder, with one region (`hydrogen`) of the given switches. */
export async function startServer(
  folder: string,
  options: { switches: SwitchAddress[]; env?: Record<string, string>; name?: string },
): Promise<Server> {
  const name = options.name ?? 'server'
  const [port, switchPort] = [await freeTcpPort(), await freeTcpPort()]
  const secrets = { password: randomBytes(12).toString('hex'), operator: randomBytes(16).toString('hex') }
  const regionsFile = join(folder, `${name}-regions.json`)
  writeFileSync(regionsFile, JSON.stringify([region(options.switches)]))
  const env = {
    PORT: String(port),
    HOST: '127.0.0.1',
    PUBLIC_URL: `http://127.0.0.1:${port}`,
    SWITCH_PORT: String(switchPort),
    SWITCH_PASSWORD: secrets.password,
    OPERATOR_TOKEN: secrets.operator,
    API_SUBDOMAIN: '',
    DATA_DIR: join(folder, `${name}-data`),
    REGIONS_FILE: regionsFile,
    WEBHOOK_ALLOW_PRIVATE: 'true',
    ...options.env,
  }
  const logFile = join(folder, `${name}.log`)
  const launch = () =>
    startProgram(name, process.execPath, ['--import', tsx, main], { logFile, env, cwd: folder })
  let program = launch()
  const publicUrl = `http://127.0.0.1:${port}`
  const ready = () =>
    until(
      `${name} answers`,
      () => {
        if (!program.running()) throw new Error(`${name} ended: ${readFileSync(logFile, 'utf8')}`)
        return answers(publicUrl)
      },
      60_000,
    )
  const startedAt = Date.now()
  await ready()
  return {
    publicUrl,
    switchUrl: `http://127.0.0.1:${switchPort}`,
    switchPassword: secrets.password,
    operatorToken: secrets.operator,
    startMs: Date.now() - startedAt,
    log: () => readFileSync(logFile, 'utf8'),
    stop: (signal) => program.stop(signal),
    start: async () => {
      program = launch()
      await ready()
    },
  }
}

const region = (switches: SwitchAddress[]) => ({
  alias: 'hydrogen',
  identifier: 'ap-southeast-1',
  human_name: 'South East Asia (Singapore)',
  switches,
})

const answers = (url: string) =>
  fetch(url).then(
    () => true as const,
    () => undefined,
  )
