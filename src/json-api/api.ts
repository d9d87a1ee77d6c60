import { Hono } from 'hono'
import { bodyLimit } from 'hono/body-limit'
import { brokenConstraint, isDatabaseAway } from '../db/violation.ts'
import type { Logger } from '../log.ts'
import { bodyLimitBytes } from './body.ts'
import { answerErrors, notFound } from './error.ts'
import type { ScopeEnv } from './handlers.ts'
import { negotiate } from './media-type.ts'
import type { Scope } from './resource.ts'

/** An empty JSON:API application: negotiates, bounds bodies and words what goes wrong. */
export function createApi<S extends Scope>(log: Logger): Hono<ScopeEnv<S>> {
  const app = new Hono<ScopeEnv<S>>()
  app.onError((error) => {
    // Two requests that each were right alone met: the database let only one of them through.
    const constraint = brokenConstraint(error)
    if (constraint !== null) return answerErrors([{ ...met, detail: `${met.detail} (${constraint})` }])
    if (isDatabaseAway(error)) return answerErrors([unavailable], { 'Retry-After': '5' })
    log.error({ err: error }, 'A JSON:API request failed.')
    return answerErrors([failed])
  })
  app.use(negotiate)
  app.use(bodyLimit({ maxSize: bodyLimitBytes, onError: () => answerErrors([tooLarge]) }))
  return app
}

/** Closes an application that has all its handlers: anything else is 404. A mounted application's own `notFound` would
 * not be asked. */
export function closeApi<S extends Scope>(app: Hono<ScopeEnv<S>>): Hono<ScopeEnv<S>> {
  app.all('*', () => answerErrors([notFound]))
  return app
}

const met = {
  status: 409,
  code: 'conflict',
  title: 'conflict',
  detail: 'Another request was faster. Read the resources again.',
} as const

const failed = {
  status: 500,
  code: 'internal_error',
  title: 'internal error',
  detail: 'This is our mistake; it has been logged.',
} as const

const unavailable = {
  status: 503,
  code: 'unavailable',
  title: 'not available now',
  detail: 'The database cannot be reached. Try again.',
} as const

const tooLarge = {
  status: 413,
  code: 'too_large',
  title: 'document too large',
  detail: `A document may have ${bodyLimitBytes} bytes.`,
} as const
