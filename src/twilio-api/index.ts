import { type Context, Hono } from 'hono'
import { bodyLimit } from 'hono/body-limit'
import { isDatabaseAway } from '../db/violation.ts'
import type { Platform } from '../platform.ts'
import { serveAccount } from './account.ts'
import { authenticate, type TwilioEnv } from './authenticate.ts'
import { serveCalls } from './calls.ts'
import { answerNotFound, answerProblem, methodNotAllowed, problem } from './error.ts'
import { serveIncomingPhoneNumbers } from './incoming-phone-numbers.ts'
import { both } from './path.ts'
import { serveMedia, serveRecordings } from './recordings.ts'

/** Twilio's API, as far as calls on SIP trunks go, to be mounted at /2010-04-01 (contract section 9): its official SDKs
 * work with it unmodified. */
export function twilioApi(platform: Platform): Hono<TwilioEnv> {
  const app = new Hono<TwilioEnv>()
  app.onError((error, c) => {
    if (isDatabaseAway(error)) return answerProblem(c, unavailable)
    platform.log.error({ err: error, path: c.req.path }, 'A request of the Twilio API could not be answered')
    return answerProblem(c, problem(20500, 'The request could not be answered now', 500))
  })
  app.use(bodyLimit({ maxSize: 256 * 1024, onError: (c) => answerProblem(c, tooLarge) }))
  serveMedia(app, platform)
  app.use('/Accounts/:account', authenticate(platform))
  app.use('/Accounts/:account/*', authenticate(platform))
  serveAccount(app, platform)
  serveCalls(app, platform)
  serveRecordings(app, platform)
  serveIncomingPhoneNumbers(app, platform)
  for (const [path, methods] of served)
    for (const one of path.endsWith(':item') || path === account ? [path] : both(path))
      app.all(one, (c) => refuseMethod(c, methods))
  app.all('*', answerNotFound)
  return app
}

const unavailable = problem(20503, 'The service is not available now. Try again', 503)
const tooLarge = problem(20413, 'The body is larger than 256 KB', 413)
const account = '/Accounts/:account'

// What is served, by path: the Allow of an answer that refuses another method (RFC 9110, 15.5.6).
const served: [path: string, methods: string][] = [
  [account, 'GET, HEAD'],
  [`${account}/Calls`, 'GET, HEAD, POST'],
  [`${account}/Calls/:item`, 'GET, HEAD, POST'],
  [`${account}/Recordings`, 'GET, HEAD'],
  [`${account}/Recordings/:item`, 'GET, HEAD, DELETE'],
  [`${account}/Calls/:id/Recordings`, 'GET, HEAD'],
  [`${account}/Calls/:id/Recordings/:item`, 'GET, HEAD, DELETE'],
  [`${account}/IncomingPhoneNumbers`, 'GET, HEAD'],
  [`${account}/IncomingPhoneNumbers/:item`, 'GET, HEAD, POST, DELETE'],
]

function refuseMethod(c: Context, methods: string): Response {
  c.header('Allow', methods)
  return answerProblem(c, methodNotAllowed)
}
