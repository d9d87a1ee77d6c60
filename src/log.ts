import { AsyncLocalStorage } from 'node:async_hooks'
import { type DestinationStream, type Logger, pino } from 'pino'

export type { Logger }

/** Structured log, one JSON object a line. Fields that could hold a secret are cut out whatever logs them. */
export function createLog(level: string, destination?: DestinationStream): Logger {
  const options = {
    level,
    base: null,
    timestamp: pino.stdTimeFunctions.isoTime,
    mixin: () => ({ ...about.getStore() }),
    serializers: { err: readable },
    redact: { paths: secretFields.flatMap((name) => [name, `*.${name}`]), censor: '[secret]' },
  }
  return destination === undefined ? pino(options) : pino(options, destination)
}

/** What a line is about: a request, a call. */
export type About = { requestId?: string; callId?: string }

const about = new AsyncLocalStorage<About>()

/** Does something of which everything that is logged meanwhile bears these ids. */
export const logAbout = <Result>(ids: About, deed: () => Result): Result => about.run({ ...ids }, deed)

/** Adds an id that has only now become known to all further lines of what is being done. */
export function noteInLog(ids: About): void {
  Object.assign(about.getStore() ?? {}, ids)
}

const secretFields = ['password', 'authToken', 'authorization', 'token']

type Readable = {
  type: string
  message: string
  stack?: string | undefined
  code?: string
  constraint?: string
  cause?: Readable
}

// Database errors bring the values of their statement along: in a field, in their message and stack, and in PostgreSQL's
// `detail`. Hence only what is known to hold none.
function readable(error: unknown, depth = 0): Readable {
  if (!(error instanceof Error)) return { type: typeof error, message: String(error) }
  const { code, constraint_name: name } = error as { code?: unknown; constraint_name?: unknown }
  return {
    type: error.name,
    message: 'params' in error ? error.message.replace(/\nparams: .*$/s, '') : error.message,
    stack: framesOf(error),
    ...(code === undefined ? {} : { code: String(code) }),
    ...(name === undefined ? {} : { constraint: String(name) }),
    ...(error.cause === undefined || depth > 4 ? {} : { cause: readable(error.cause, depth + 1) }),
  }
}

function framesOf({ stack = '', message }: Error): string {
  const start = message === '' ? -1 : stack.indexOf(message)
  return stack.slice(start === -1 ? stack.indexOf('\n') + 1 : start + message.length).replace(/^\n/, '')
}
