import * as v from 'valibot'
import { noPort, port, type Region, readRegions } from './regions.ts'

const noUrl = 'expected an http or https URL'
const portText = v.pipe(v.string(), v.regex(/^\d{1,5}$/, noPort), v.transform(Number), port)
const onOff = (message: string, on: string, off: string) =>
  v.pipe(
    v.picklist([on, off], message),
    v.transform((text) => text === on),
  )
const encryptionKey = v.pipe(
  v.string(),
  v.regex(/^[A-Za-z0-9+/_-]{43}=?$/, 'expected 32 bytes in base64'),
  v.transform((text) => Buffer.from(text, 'base64')),
)

/** Reads the 32 bytes of a key from base64 (either alphabet), or gives null for anything else. */
export function readKey(text: string): Buffer | null {
  const read = v.safeParse(encryptionKey, text)
  return read.success ? read.output : null
}

const Schema = v.object({
  HOST: v.optional(v.pipe(v.string(), v.nonEmpty()), '0.0.0.0'),
  PORT: v.optional(portText, '3000'),
  SWITCH_HOST: v.optional(v.pipe(v.string(), v.nonEmpty()), '127.0.0.1'),
  SWITCH_PORT: v.optional(portText, '3001'),
  SWITCH_URL: v.optional(
    v.pipe(
      v.string(),
      v.regex(/^https?:\/\/[A-Za-z0-9_.:[\]-]+$/, 'expected http://host:port'),
      v.check((text) => URL.canParse(text), 'expected http://host:port'),
    ),
  ),
  SWITCH_PASSWORD: v.optional(v.pipe(v.string(), v.nonEmpty('expected a password'))),
  DATABASE_URL: v.optional(v.pipe(v.string(), v.check(isPostgresUrl, 'expected postgres://…'))),
  DATA_DIR: v.optional(v.pipe(v.string(), v.nonEmpty()), './data'),
  ENCRYPTION_KEY: v.optional(encryptionKey),
  OPERATOR_TOKEN: v.optional(v.string()),
  API_SUBDOMAIN: v.optional(
    v.pipe(v.string(), v.regex(/^[a-z0-9-]*$/i, 'expected one label of a host name')),
    'api',
  ),
  PUBLIC_URL: v.optional(
    v.pipe(v.string(), v.regex(/^https?:\/\/\S+$/, noUrl), v.check(URL.canParse.bind(URL), noUrl)),
  ),
  WEBHOOK_ALLOW_PRIVATE: v.optional(onOff('expected true or false', 'true', 'false'), 'false'),
  REGIONS_FILE: v.optional(v.string()),
  EVENT_SOCKET: v.optional(onOff('expected on or off', 'on', 'off'), 'on'),
  TTS_COMMAND: v.optional(v.pipe(v.string(), v.regex(/\S/, 'expected a program')), 'espeak-ng'),
  LOG_LEVEL: v.optional(
    v.picklist(['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'], 'expected a log level'),
    'info',
  ),
})

/** Everything the environment decides, checked. */
export type Env = ReturnType<typeof settle>

/** Why a start is refused: one sentence that names the variable. */
export type EnvProblem = { problem: string }

/** The variables whose values nobody is to find in a log or in another program's environment. */
export const secretVariables = ['DATABASE_URL', 'ENCRYPTION_KEY', 'OPERATOR_TOKEN', 'SWITCH_PASSWORD']

/** Reads and checks the process environment (contract section 2); an empty variable counts as absent, except
 * API_SUBDOMAIN, where empty means "no check". */
export function readEnv(variables: Record<string, string | undefined>): Env | EnvProblem {
  const given = Object.entries(variables).filter(([name, value]) => value !== '' || name === 'API_SUBDOMAIN')
  const read = v.safeParse(Schema, Object.fromEntries(given))
  if (!read.success) {
    const issue = read.issues[0]
    const name = v.getDotPath(issue) ?? ''
    return { problem: `${name} is wrong: ${issue.message}, but it is ${shown(name, variables[name])}.` }
  }
  const env = read.output
  if (!env.SWITCH_PASSWORD && !isLoopback(env.SWITCH_HOST))
    return {
      problem: 'SWITCH_PASSWORD is missing: it must be set when SWITCH_HOST is not a loopback address.',
    }
  if (env.DATABASE_URL && !env.ENCRYPTION_KEY)
    return {
      problem: 'ENCRYPTION_KEY is missing: it must be set together with DATABASE_URL (32 bytes, base64).',
    }
  const regions = readRegions(env.REGIONS_FILE)
  if ('problem' in regions) return { problem: `REGIONS_FILE is wrong: ${regions.problem}.` }
  return settle(env, regions.regions)
}

// A URL may bring a password along where none belongs.
const shown = (name: string, value = ''): string =>
  secretVariables.includes(name) ? 'something else' : value.replace(/^([^/]*:\/\/).*@/s, '$1…@')

function settle(env: v.InferOutput<typeof Schema>, regions: Region[]) {
  const { PORT, PUBLIC_URL, SWITCH_URL, ...rest } = env
  const switchHost = isAnyAddress(env.SWITCH_HOST) ? '127.0.0.1' : env.SWITCH_HOST
  return {
    ...rest,
    PORT,
    PUBLIC_URL: (PUBLIC_URL ?? `http://api.localhost:${PORT}`).replace(/\/+$/, ''),
    /** How FreeSWITCH reaches the switch listener, for the audio that we hand it by URL. */
    SWITCH_URL:
      SWITCH_URL ?? `http://${switchHost.includes(':') ? `[${switchHost}]` : switchHost}:${env.SWITCH_PORT}`,
    regions,
  }
}

// Of several hosts (`h1:5432,h2:5432`) the driver, too, reads the first as that of the URL. A `/` or `#` of a password that
// was not escaped ends the host in the middle of it, and errors would name the rest as the database: what has an `@`
// behind the host is none.
function isPostgresUrl(text: string): boolean {
  const url = text.replace(/,[^/?]*/, '')
  return /^postgres(ql)?:\/\/[^/?#]*(\/[^@#]*)?(\?[^#]*)?$/.test(url) && URL.canParse(url)
}

function isAnyAddress(host: string): boolean {
  return host === '0.0.0.0' || host === '::'
}

function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || /^127\.\d+\.\d+\.\d+$/.test(host)
}
