import { Hono } from 'hono'
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
  for (const path of served) app.all(path, (c) => answerProblem(c, methodNotAllowed))
  app.all('*', answerNotFound)
  return app
}

const unavailable = problem(20503, 'The service is not available now. Try again', 503)
const tooLarge = problem(20413, 'The body is larger than 256 KB', 413)
const served = [
  '/Accounts/:account',
  ...['Calls', 'Recordings', 'IncomingPhoneNumbers', 'Calls/:id/Recordings'].flatMap((list) => [
    ...both(`/Accounts/:account/${list}`),
    `/Accounts/:account/${list}/:item`,
  ]),
]
