import { randomUUID } from 'node:crypto'
import type { MiddlewareHandler } from 'hono'
import { type Logger, logAbout } from '../log.ts'

/** Gives each request an id, its own `X-Request-Id` where it brings one, that stands in every line logged for it and
 * goes back in the answer; one line tells how it was answered. */
export function requestLog(log: Logger): MiddlewareHandler {
  return (c, next) => {
    const requestId = proper(c.req.header('x-request-id')) ?? randomUUID()
    return logAbout({ requestId }, async () => {
      const started = performance.now()
      await next()
      c.header('X-Request-Id', requestId)
      tell(log, c.req.method, c.req.path, c.res.status, performance.now() - started)
    })
  }
}

/** The same for what FreeSWITCH asks, several times a call: told at `debug` unless it could not be answered. */
export function fetchLog(log: Logger): MiddlewareHandler {
  return (c, next) =>
    logAbout({ requestId: randomUUID() }, async () => {
      const started = performance.now()
      await next()
      tell(log, c.req.method, c.req.path, c.res.status, performance.now() - started, 'debug')
    })
}

const proper = (id: string | undefined) => (id !== undefined && /^[\w.-]{1,100}$/.test(id) ? id : null)

// Never the query, where some clients put tokens. Whoever asks for health and metrics does so without end.
function tell(
  log: Logger,
  method: string,
  path: string,
  status: number,
  milliseconds: number,
  usual: 'info' | 'debug' = 'info',
): void {
  const level = status >= 500 ? 'warn' : /^\/(health|ready|metrics)$/.test(path) ? 'debug' : usual
  log[level](
    { method, path: loggable(path), status, ms: Math.round(milliseconds * 10) / 10 },
    'Request answered',
  )
}

// Without the file names of prompts and recordings: to know one is the right to it.
const loggable = (path: string): string => path.replace(/^(\/freeswitch\/(?:audio|recordings)\/).*$/s, '$1…')
